/** Whether the watches live: an operator that hears nothing looks like one that has nothing to do. */
import { Counter, Gauge, type Registry } from "prom-client";

const help = {
  lastSign: "When the watch last gave an event, a bookmark or a full list, in Unix time",
  running: "1 while the watch is connected",
  objects: "Objects in the cache of the watch",
  events: "Events of the watch, by type (added, modified, deleted, bookmark)",
  relists: "Full lists that were read",
  restarts: "Watches that ended and were started again",
};

export type WatchEvent = "added" | "modified" | "deleted" | "bookmark";

export class WatchMetrics {
  readonly #lastSign: Gauge;
  readonly #running: Gauge;
  readonly #objects: Gauge;
  readonly #events: Counter;
  readonly #relists: Counter;
  readonly #restarts: Counter;

  constructor(registry: Registry) {
    const named = (name: keyof typeof help, as: string, ...more: readonly string[]) => ({
      ...{ name: `lockstep_operator_watch_${as}`, help: help[name], registers: [registry] },
      labelNames: ["resource", ...more],
    });
    this.#lastSign = new Gauge(named("lastSign", "last_sign_timestamp_seconds"));
    this.#running = new Gauge(named("running", "running"));
    this.#objects = new Gauge(named("objects", "objects"));
    this.#events = new Counter(named("events", "events_total", "type"));
    this.#relists = new Counter(named("relists", "relists_total"));
    this.#restarts = new Counter(named("restarts", "restarts_total"));
  }

  /** The watch is about to begin: from now on its silence is seen. */
  onStart(resource: string): void {
    this.#sign(resource);
    this.#running.set({ resource }, 0);
    this.#relists.inc({ resource }, 0);
    this.#restarts.inc({ resource }, 0);
  }

  onConnected(resource: string): void {
    this.#running.set({ resource }, 1);
  }

  onEvent(resource: string, type: WatchEvent): void {
    this.#events.inc({ resource, type });
    this.#sign(resource);
  }

  /** A full list was read; it has `objects` objects. */
  onList(resource: string, objects: number): void {
    this.#relists.inc({ resource });
    this.#objects.set({ resource }, objects);
    this.#sign(resource);
  }

  /** How many objects the cache has now. */
  onSize(resource: string, objects: number): void {
    this.#objects.set({ resource }, objects);
  }

  /** The watch ended, for whatever reason, and is started again. */
  onRestart(resource: string): void {
    this.#running.set({ resource }, 0);
    this.#restarts.inc({ resource });
  }

  #sign(resource: string): void {
    this.#lastSign.set({ resource }, Date.now() / 1_000);
  }
}
