/**
 * What the operator measures of itself and of its machines, for Prometheus. The shell calls the
 * methods where things happen; nothing here decides anything. Every method is cheap and cannot fail.
 *
 * All values of labels come from small sets, but for the machines' namespaces and names.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { addProcessMetrics, ReadMetrics } from "../../platform/metrics.ts";
import { productVersion } from "../../platform/version.ts";
import type { Reason } from "../api/reasons.ts";
import { MachineMetrics } from "./machine-metrics.ts";
import { WatchMetrics } from "./watch-metrics.ts";

/**
 * Why a reconciliation failed. conflict: the object was changed meanwhile (409). refused: the API server
 * does not want what it was sent (any other 4xx). unreachable: it did not answer, or with 5xx or 429.
 * internal: anything else, which is a fault of the operator.
 */
export type ReconcileErrorKind = "conflict" | "refused" | "unreachable" | "internal";
const errorKinds: readonly ReconcileErrorKind[] = [
  "conflict",
  "refused",
  "unreachable",
  "internal",
];

/** How an object is written: `apply` is server-side apply, `status` a write of the status. */
export type WriteVerb = "create" | "apply" | "update" | "patch" | "delete" | "status";

export type OrderResult = "accepted" | "refused" | "no answer";
const orderResults: readonly OrderResult[] = ["accepted", "refused", "no answer"];

const reconcileBucketsSeconds = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30,
];
const queueBucketsSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60];

/** Asked when Prometheus reads, so that they are always as the queue has them. */
export interface QueueReadings {
  /** Objects that wait to be reconciled now; not those that wait for a later time. */
  readonly depth: () => number;
}

export class OperatorMetrics {
  readonly registry = new Registry();
  /** By the watches; `resource` is the plural name, such as "pods". */
  readonly watches: WatchMetrics;
  /** What the machines are like, as their plans say. */
  readonly machines: MachineMetrics;
  readonly #read: ReadMetrics;
  readonly #reconcile: Histogram;
  readonly #errors: Counter;
  readonly #queueLatency: Histogram;
  readonly #retries: Counter;
  readonly #writes: Counter;
  readonly #events: Counter;
  readonly #orders: Counter;
  readonly #statusReads: Counter;
  readonly #deferred: Counter;
  readonly #leader: Gauge;
  /** Start of each reconciliation under way, by `performance.now()`. */
  readonly #running = new Set<{ readonly sinceMs: number }>();

  constructor() {
    const { registry } = this;
    const registers = [registry];
    const named = (name: string, help: string) => ({
      ...{ name: `lockstep_operator_${name}`, help, registers },
    });
    this.#read = new ReadMetrics(registry, "lockstep_operator_");
    this.#read.info("info", "1; the version of this operator", { version: productVersion() });
    this.#leader = new Gauge(named("leader", "1 for the replica that acts, 0 for one that waits"));
    this.#reconcile = new Histogram({
      ...named("reconcile_seconds", "Time of one reconciliation of one machine"),
      buckets: reconcileBucketsSeconds,
    });
    this.#read.gauge("longest_reconcile_seconds", "Age of the oldest one under way", () => {
      const since = Math.min(...[...this.#running].map(({ sinceMs }) => sinceMs));
      return Number.isFinite(since) ? (performance.now() - since) / 1_000 : 0;
    });
    this.#errors = new Counter({
      ...named("reconcile_errors_total", "Reconciliations that failed, by kind of error"),
      labelNames: ["kind"],
    });
    for (const kind of errorKinds) this.#errors.inc({ kind }, 0);
    this.#queueLatency = new Histogram({
      ...named("queue_latency_seconds", "From the time at which an object is due to its turn"),
      buckets: queueBucketsSeconds,
    });
    this.#retries = new Counter(named("queue_retries_total", "Objects put back after an error"));
    this.#writes = new Counter({
      ...named("api_writes_total", "Requests that write to the API server, by kind and verb"),
      labelNames: ["kind", "verb"],
    });
    this.#events = new Counter({
      ...named("events_total", "Events told to users"),
      labelNames: ["type", "reason"],
    });
    this.#orders = new Counter({
      ...named("orders_total", "Orders to runners to switch a machine off, by answer"),
      labelNames: ["result"],
    });
    for (const result of orderResults) this.#orders.inc({ result }, 0);
    this.#statusReads = new Counter({
      ...named("status_reads_total", "Questions to runners for their status"),
      labelNames: ["result"],
    });
    for (const result of ["answered", "failed"]) this.#statusReads.inc({ result }, 0);
    this.#deferred = new Counter(
      named(
        "pods_deferred_total",
        "Pods to make or to remove by force that had to wait in a storm",
      ),
    );
    this.watches = new WatchMetrics(registry);
    this.machines = new MachineMetrics(registry);
    addProcessMetrics(registry);
  }

  /** Once, as soon as there is a queue. */
  readQueue({ depth }: QueueReadings): void {
    this.#read.gauge("queue_depth", "Objects that wait for their turn", depth);
  }

  /** What the machines are like is told by the leader alone. */
  setLeader(leads: boolean): void {
    this.#leader.set(leads ? 1 : 0);
    this.machines.setLeader(leads);
  }

  /**
   * An object gets its turn. `waitedMs`: since it was due. Call what it returns when the turn is over,
   * with the kind of error, or null.
   */
  startReconcile(waitedMs: number): (error: ReconcileErrorKind | null) => void {
    const sinceMs = performance.now();
    const run = { sinceMs };
    this.#running.add(run);
    this.#queueLatency.observe(waitedMs / 1_000);
    return (error) => {
      this.#running.delete(run);
      this.#reconcile.observe((performance.now() - sinceMs) / 1_000);
      if (error !== null) this.#errors.inc({ kind: error });
    };
  }

  /** An object goes back to the queue after an error. */
  onRetry(): void {
    this.#retries.inc();
  }

  /** A request that writes was sent, whatever became of it. `kind`: of the object, such as "Pod". */
  onWrite(kind: string, verb: WriteVerb): void {
    this.#writes.inc({ kind, verb });
  }

  /** An event was told. */
  onEvent(type: "Normal" | "Warning", reason: Reason): void {
    this.#events.inc({ type, reason });
  }

  /** An order to a runner came to an end. */
  onOrder(result: OrderResult): void {
    this.#orders.inc({ result });
  }

  /** A pod is not made, or not removed by force, before it is its turn. */
  onDeferred(): void {
    this.#deferred.inc();
  }

  /** A runner was asked for its status. */
  onStatusRead(answered: boolean): void {
    this.#statusReads.inc({ result: answered ? "answered" : "failed" });
  }
}

/** `status`: of the API server's answer; null: there was none; undefined: the error is not the API's. */
export function reconcileErrorKindOf(status: number | null | undefined): ReconcileErrorKind {
  if (status === undefined) return "internal";
  if (status === null || status >= 500 || status === 429) return "unreachable";
  return status === 409 ? "conflict" : "refused";
}
