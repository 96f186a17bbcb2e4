/** Takes VMs from the queue and has them looked at, several at a time, each by one worker. */
import type { Logger } from "../../platform/logging.ts";
import { type OperatorMetrics, reconcileErrorKindOf } from "../metrics/operator-metrics.ts";
import { KubernetesApiError } from "./kubernetes-api-error.ts";
import { type Turn, WorkQueue, type WorkQueueLimits } from "./work-queue.ts";

export interface WorkersOptions {
  readonly count: number;
  /** As `Reconciler.reconcile`. */
  readonly reconcile: (key: string) => Promise<number | null>;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
}

const limits: WorkQueueLimits = {
  retryMsMin: 50,
  retryMsMax: 60_000,
  retries: { perSecond: 20, burst: 200 },
};
/** Timers cannot wait longer. */
const timerMsMax = 2 ** 31 - 1;

export class Workers {
  readonly #options: WorkersOptions;
  readonly #queue = new WorkQueue(limits);
  readonly #running = new Set<Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #active = false;

  constructor(options: WorkersOptions) {
    this.#options = options;
    options.metrics.readQueue({ depth: () => this.#queue.depth });
  }

  /** Before `start` nothing is remembered: whoever does not lead may hear of machines for months. */
  add(key: string, priority = { urgent: false }): void {
    if (!this.#active) return;
    this.#queue.add(key, performance.now(), priority);
    this.#pump();
  }

  /** `keys`: all that there is to look at. */
  start(keys: Iterable<string>): void {
    this.#active = true;
    for (const key of keys) this.#queue.add(key, performance.now());
    this.#pump();
  }

  /** Nothing new is begun; resolves when what was begun has ended. */
  async stop(): Promise<void> {
    this.#active = false;
    clearTimeout(this.#timer);
    await Promise.all(this.#running);
  }

  #pump(): void {
    if (!this.#active) return;
    while (this.#running.size < this.#options.count) {
      const turn = this.#queue.take(performance.now());
      if (turn === null) break;
      const run = this.#work(turn).finally(() => {
        this.#running.delete(run);
        this.#pump();
      });
      this.#running.add(run);
    }
    clearTimeout(this.#timer);
    const dueMs = this.#queue.nextDueMs();
    if (dueMs === null || this.#running.size >= this.#options.count) return;
    const waitMs = Math.min(Math.max(dueMs - performance.now(), 1), timerMsMax);
    this.#timer = setTimeout(() => this.#pump(), waitMs);
  }

  async #work({ key, waitedMs }: Turn): Promise<void> {
    const { reconcile, metrics } = this.#options;
    const end = metrics.startReconcile(waitedMs);
    try {
      const againMs = await reconcile(key);
      this.#queue.forgetFailures(key);
      if (againMs === null) this.#queue.forget(key);
      else this.#queue.addAfter(key, againMs, performance.now());
      end(null);
    } catch (error) {
      end(this.#onFailure(key, error));
    } finally {
      this.#queue.done(key);
    }
  }

  #onFailure(key: string, error: unknown): ReturnType<typeof reconcileErrorKindOf> {
    const { log, metrics } = this.#options;
    const expected = error instanceof KubernetesApiError;
    const againMs = this.#queue.addAfterFailure(key, performance.now());
    metrics.onRetry();
    if (!expected) log.error({ vm: key, err: error, againMs }, "looking at a machine failed");
    else {
      const level = error.code === "conflict" || error.code === "not leading" ? "debug" : "warn";
      log[level]({ vm: key, reason: error.message, againMs }, "a machine is looked at again");
    }
    return reconcileErrorKindOf(expected ? error.status || null : undefined);
  }
}
