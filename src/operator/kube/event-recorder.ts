/**
 * Events for users (events.k8s.io/v1). The same event again is counted in the one that was told, at most
 * once a minute, and one machine cannot flood the rest: an event is news, and what lasts is in the status.
 */
import { createHash } from "node:crypto";
import type { Logger } from "../../platform/logging.ts";
import { microTime } from "../../platform/micro-time.ts";
import { apiVersion, type FTVirtualMachine, kind } from "../api/v1alpha1.ts";
import type { OperatorMetrics } from "../metrics/operator-metrics.ts";
import type { PlannedEvent } from "../reconcile/actions.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { apiErrorCode } from "./kubernetes-api-error.ts";
import { RateLimiter } from "./rate-limiter.ts";
import { eventsPath } from "./resources.ts";

export interface RecorderOptions {
  readonly api: Pick<KubernetesApi, "send">;
  readonly metrics: OperatorMetrics;
  readonly log: Logger;
  /** Of this process. */
  readonly self: string;
  /** Default: `performance.now()`. */
  readonly nowMs?: () => number;
}

interface Told {
  /** Its place in `#told`. */
  readonly key: string;
  readonly name: string;
  count: number;
  sentMs: number;
  lastMs: number;
}

/** What is told again within this time is the same event again. */
const sameMsMax = 10 * 60_000;
const repeatMs = 60_000;
/** Events that are remembered; of the oldest one a repetition is told as a new one. */
const toldMax = 4_096;
/** Events that wait to be sent; more are dropped. */
const waitingMax = 1_000;
const perMachine = { perSecond: 0.2, burst: 25 };
const machinesMax = 4_096;
/** The API server's bound on an event's note. */
const noteBytesMax = 1_024;

export class EventRecorder {
  readonly #options: RecorderOptions;
  readonly #told = new Map<string, Told>();
  readonly #limits = new Map<string, RateLimiter>();
  #waiting = 0;
  /** One after the other: order is worth more than haste. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  tell(vm: FTVirtualMachine, event: PlannedEvent): void {
    const { nowMs: clock = () => performance.now() } = this.#options;
    const nowMs = clock();
    const { uid, namespace, name } = vm.metadata;
    const key = hash([uid, event.type, event.reason, event.message]);
    const told = this.#told.get(key);
    if (told !== undefined && nowMs - told.lastMs < sameMsMax) {
      this.#repeat(namespace, told, nowMs);
      return;
    }
    if (this.#waiting >= waitingMax || this.#isTooMuch(uid, nowMs)) return;
    this.#told.delete(key);
    const suffix = hash([key, String(Date.now())]).slice(0, 16);
    const fresh = { key, name: `${name}.${suffix}`, count: 1, sentMs: nowMs, lastMs: nowMs };
    this.#told.set(key, fresh);
    trim(this.#told, toldMax);
    this.#options.metrics.onEvent(event.type, event.reason);
    this.#send("POST", eventsPath(namespace), fresh, this.#eventOf(vm, event, fresh.name));
  }

  /** All that was told is sent, or given up. */
  async flush(): Promise<void> {
    await this.#last;
  }

  #repeat(namespace: string, told: Told, nowMs: number): void {
    told.count += 1;
    told.lastMs = nowMs;
    if (nowMs - told.sentMs < repeatMs || this.#waiting >= waitingMax) return;
    told.sentMs = nowMs;
    const series = { count: told.count, lastObservedTime: microTime(new Date()) };
    this.#send("PATCH", `${eventsPath(namespace)}/${told.name}`, told, { series });
  }

  #isTooMuch(uid: string, nowMs: number): boolean {
    const limit = this.#limits.get(uid) ?? new RateLimiter(perMachine);
    this.#limits.set(uid, limit);
    trim(this.#limits, machinesMax);
    return limit.ask("event", nowMs) > 0;
  }

  #send(method: "POST" | "PATCH", path: string, told: Told, body: object): void {
    const { api, log, metrics } = this.#options;
    const contentType = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    this.#waiting += 1;
    this.#last = this.#last.then(async () => {
      try {
        metrics.onWrite("Event", method === "POST" ? "create" : "patch");
        await api.send({ method, path, body, contentType });
      } catch (error) {
        // A namespace that goes takes no events, and an event may have been collected.
        const code = apiErrorCode(error);
        // What is not there cannot be counted on: the next time it is told anew.
        const isMissing = method === "POST" || code === "not found";
        if (isMissing && this.#told.get(told.key) === told) this.#told.delete(told.key);
        if (code === null) log.error({ err: error }, "an event was not told");
        else log.debug({ err: error }, "an event was not told");
      }
      this.#waiting -= 1;
    });
  }

  #eventOf(vm: FTVirtualMachine, event: PlannedEvent, name: string): object {
    const { namespace, uid, resourceVersion } = vm.metadata;
    return {
      ...{ apiVersion: "events.k8s.io/v1", kind: "Event" },
      metadata: { name, namespace },
      eventTime: microTime(new Date()),
      reportingController: "lockstep.dev/operator",
      reportingInstance: this.#options.self,
      action: "Reconcile",
      type: event.type,
      reason: event.reason,
      regarding: { apiVersion, kind, namespace, name: vm.metadata.name, uid, resourceVersion },
      note: noteOf(event.message),
    };
  }
}

/** As many whole characters as the API server takes. */
function noteOf(message: string): string {
  const { read } = new TextEncoder().encodeInto(message, new Uint8Array(noteBytesMax));
  return message.slice(0, read);
}

function hash(parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

function trim(map: Map<string, unknown>, sizeMax: number): void {
  for (const key of map.keys()) {
    if (map.size <= sizeMax) return;
    map.delete(key);
  }
}
