/**
 * Whether the watches live: an operator that hears nothing looks like one that has nothing to do. They are
 * told by kind, and a kind has a watch in each namespace that is looked after. What is told is the worst of
 * them: none that is dead hides behind the others.
 */
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

export interface Watched {
  /** The kind's plural. */
  readonly resource: string;
  /** Of this one of the kind's watches. */
  readonly name: string;
}

interface Signs {
  /** Unix time. */
  readonly lastSeconds: number;
  readonly running: 0 | 1;
}

export class WatchMetrics {
  /** By kind, and by the watch's name. */
  readonly #signs = new Map<string, Map<string, Signs>>();
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
  onStart(watch: Watched): void {
    const { resource } = watch;
    this.#relists.inc({ resource }, 0);
    this.#restarts.inc({ resource }, 0);
    this.#note(watch, { lastSeconds: nowSeconds(), running: 0 });
  }

  onConnected(watch: Watched): void {
    this.#note(watch, { running: 1 });
  }

  onEvent(watch: Watched, type: WatchEvent): void {
    this.#events.inc({ resource: watch.resource, type });
    this.#note(watch, { lastSeconds: nowSeconds() });
  }

  /** A full list was read; the cache has `objects` objects now. */
  onList(watch: Watched, objects: number): void {
    this.#relists.inc({ resource: watch.resource });
    this.onSize(watch, objects);
    this.#note(watch, { lastSeconds: nowSeconds() });
  }

  /** How many objects the cache has now: a kind has one. */
  onSize({ resource }: Watched, objects: number): void {
    this.#objects.set({ resource }, objects);
  }

  /** The watch ended, for whatever reason, and is started again. */
  onRestart(watch: Watched): void {
    this.#restarts.inc({ resource: watch.resource });
    this.#note(watch, { running: 0 });
  }

  #note({ resource, name }: Watched, news: Partial<Signs>): void {
    const ofKind = this.#signs.get(resource) ?? new Map<string, Signs>();
    const before = ofKind.get(name) ?? { lastSeconds: nowSeconds(), running: 0 };
    this.#signs.set(resource, ofKind.set(name, { ...before, ...news }));
    const all = [...ofKind.values()];
    this.#lastSign.set({ resource }, Math.min(...all.map(({ lastSeconds }) => lastSeconds)));
    this.#running.set({ resource }, Math.min(...all.map(({ running }) => running)));
  }
}

function nowSeconds(): number {
  return Date.now() / 1_000;
}
