/**
 * The operator as a process: it watches, waits until it leads, and then has every VM looked at. All that
 * it decides is in `reconcile/plan.ts`. It does nothing before every cache has been filled, and nothing
 * after its Lease was lost: every request that changes something asks at the last moment.
 */
import { randomBytes, randomInt } from "node:crypto";
import os from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { createLogger, type Logger } from "../platform/logging.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import { createOperatorHttp, listen } from "./http-server.ts";
import { ClusterView } from "./kube/cluster-view.ts";
import { EventRecorder } from "./kube/event-recorder.ts";
import { KubernetesApi } from "./kube/kubernetes-api.ts";
import { messageOf } from "./kube/kubernetes-api-error.ts";
import { type ElectionTimes, electionTimes } from "./kube/leader-election.ts";
import { Leadership } from "./kube/leadership.ts";
import { ObjectReader } from "./kube/object-reader.ts";
import { orderPowerOff, orderRedial } from "./kube/orders.ts";
import { Performer } from "./kube/perform.ts";
import { type RateLimit, RateLimiter } from "./kube/rate-limiter.ts";
import { Reconciler } from "./kube/reconciler.ts";
import { ReportPoller } from "./kube/report-poller.ts";
import { askGateway, askRunner } from "./kube/runner-report.ts";
import { VmMemory } from "./kube/vm-memory.ts";
import { Workers } from "./kube/workers.ts";
import { OperatorMetrics } from "./metrics/operator-metrics.ts";
import { OperatorError } from "./operator-error.ts";
import type { Plan } from "./reconcile/actions.ts";
import type { Observation, OperatorSettings } from "./reconcile/observation.ts";
import { plan } from "./reconcile/plan.ts";

export interface OperatorOptions {
  /** null: what the pod was given. */
  readonly kubeconfig: string | null;
  /** Whose VMs it looks after; null: those of all namespaces. */
  readonly namespaces: readonly string[] | null;
  /** Port 0: any free one. */
  readonly http: { readonly host: string; readonly port: number };
  readonly lease: { readonly namespace: string; readonly name: string };
  readonly settings: OperatorSettings;
  /** VMs that are looked at at the same time. */
  readonly workers: number;
  readonly plan?: (observation: Observation) => Plan;
  readonly election?: ElectionTimes;
}

export interface RunningOperator {
  readonly httpPort: number;
  /** By which it is known in its Lease. */
  readonly self: string;
  /** Ends what was begun and gives the Lease back; `ended` resolves with code 0. */
  stop(): Promise<void>;
  /** Resolves with the exit code. */
  readonly ended: Promise<number>;
}

/** Pods made and pods deleted by force, in the whole cluster: many lost nodes at once are no storm. */
const stormLimit: RateLimit = { perSecond: 20, burst: 40 };
/** A watch that was not even tried for so long is broken. */
const watchMsMax = 3 * 60_000;
const syncPollMs = 50;
const randomSteps = 2 ** 32;
/** What was begun may take so long to end. */
const stopMsMax = 5_000;

/** @throws OperatorError */
export async function startOperator(options: OperatorOptions): Promise<RunningOperator> {
  const operator = new Operator(options, openApi(options.kubeconfig));
  const httpPort = await operator.listen();
  const ended = operator.run();
  return { httpPort, self: operator.self, stop: () => operator.stop(), ended };
}

function openApi(kubeconfig: string | null): KubernetesApi {
  try {
    return KubernetesApi.open(kubeconfig);
  } catch (cause) {
    const from = kubeconfig === null ? "what the pod was given" : `the kubeconfig ${kubeconfig}`;
    const message = `${from} cannot be used: ${messageOf(cause)}`;
    throw new OperatorError("bad configuration", message, { cause });
  }
}

class Operator {
  readonly self = `${os.hostname()}_${randomBytes(4).toString("hex")}`;
  readonly #options: OperatorOptions;
  readonly #log: Logger = createLogger("operator");
  readonly #metrics = new OperatorMetrics();
  readonly #stop = new AbortController();
  readonly #leadership: Leadership;
  readonly #view: ClusterView;
  readonly #poller: ReportPoller;
  readonly #events: EventRecorder;
  readonly #workers: Workers;
  readonly #http = createOperatorHttp({
    registry: this.#metrics.registry,
    broken: () => this.#broken(),
    missing: () => (this.#view.synced ? null : `not read yet: ${this.#unsynced()}`),
  });
  #stopped: Promise<void> | null = null;

  constructor(options: OperatorOptions, api: KubernetesApi) {
    this.#options = options;
    const { self } = this;
    const log = this.#log;
    const metrics = this.#metrics;
    const times = options.election ?? electionTimes;
    this.#leadership = new Leadership({ api, ...options.lease, self, times, log });
    const gated = api.gated(() => this.#leadership.holds);
    const random = () => randomInt(randomSteps) / randomSteps;
    const view = new ClusterView({
      ...{ api: gated, namespaces: options.namespaces, log, random, metrics: metrics.watches },
      onVm: (vm) => this.#workers.add(vm),
      onPair: (vm) => {
        this.#workers.add(vm, { urgent: true });
        this.#poller.hasten(vm);
      },
    });
    this.#view = view;
    this.#poller = new ReportPoller({
      ...{ pods: view.pods, askRunner, askGateway, random },
      onVm: (vm) => this.#workers.add(vm, { urgent: true }),
      onRead: (answered) => metrics.onStatusRead(answered),
    });
    const reader = new ObjectReader(gated, view);
    const memory = new VmMemory();
    const performer = new Performer({
      ...{ api: gated, view, reader, memory, metrics, orderPowerOff, orderRedial },
      mayOrder: () => this.#leadership.holds,
    });
    this.#events = new EventRecorder({ api: gated, metrics, log, self });
    const reconciler = new Reconciler({
      ...{ api: gated, view, reader, memory, performer, metrics, log, events: this.#events },
      reportOf: (uid) => this.#poller.reportOf(uid),
      attachmentOf: (uid) => this.#poller.attachmentOf(uid),
      settings: options.settings,
      storm: new RateLimiter(stormLimit),
      plan: options.plan ?? plan,
    });
    this.#workers = new Workers({
      ...{ count: options.workers, metrics, log },
      reconcile: (vm) => reconciler.reconcile(vm),
    });
  }

  async listen(): Promise<number> {
    return await listen(this.#http, this.#options.http);
  }

  /** Until it is stopped, or does not lead any more; resolves with the exit code. */
  async run(): Promise<number> {
    const { signal } = this.#stop;
    const watching = this.#view.run(signal);
    try {
      return await this.#lead(signal);
    } finally {
      this.#stop.abort();
      await watching;
      this.#http.close();
      this.#http.closeAllConnections();
    }
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#giveUp();
    return this.#stopped;
  }

  async #lead(signal: AbortSignal): Promise<number> {
    while (!this.#view.synced && !signal.aborted) await sleep(syncPollMs);
    if (!(await this.#leadership.acquire(signal))) return exitCodes.ok;
    this.#log.info({ self: this.self }, "this process leads");
    this.#metrics.setLeader(true);
    this.#workers.start(this.#view.vms());
    const polling = this.#poller.run(signal);
    await this.#leadership.keep(signal);
    this.#metrics.setLeader(false);
    if (signal.aborted) {
      await polling;
      return exitCodes.ok;
    }
    this.#log.error({ self: this.self }, "the Lease was lost: this process does nothing any more");
    return exitCodes.leaseLost;
  }

  /** While it still leads, what was begun may end; only then somebody else may begin. */
  async #giveUp(): Promise<void> {
    const ending = Promise.all([this.#workers.stop(), this.#events.flush()]);
    await Promise.race([ending, sleep(stopMsMax, undefined, { ref: false })]);
    await this.#leadership.release();
    this.#stop.abort();
  }

  #broken(): string | null {
    const nowMs = performance.now();
    const dead = this.#view.watches.filter(({ lastTriedMs }) => nowMs - lastTriedMs > watchMsMax);
    return dead.length === 0 ? null : `not watched any more: ${namesOf(dead)}`;
  }

  #unsynced(): string {
    return namesOf(this.#view.watches.filter(({ synced }) => !synced));
  }
}

function namesOf(watches: readonly { readonly name: string }[]): string {
  return watches.map(({ name }) => name).join(", ");
}
