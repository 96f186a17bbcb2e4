/**
 * One kind of object, watched for ever: list, then watch from there, and again. It cannot die silently:
 *
 * - every watch is asked to end after half a minute, and is broken off soon after, so that a dead
 *   connection is noticed; the next one goes on from the last version that was heard of;
 * - whatever fails is tried again, with growing pauses;
 * - a version that the server does not have any more means to list anew, and so does every tenth
 *   minute, whatever was heard.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../platform/logging.ts";
import type { WatchEvent as EventKind, WatchMetrics } from "../metrics/watch-metrics.ts";
import type { KubernetesApi, RawObject } from "./kubernetes-api.ts";
import { apiErrorCode, KubernetesApiError, messageOf } from "./kubernetes-api-error.ts";
import type { Entry, ObjectCache } from "./object-cache.ts";

export interface WatchOptions<Raw extends RawObject, Value> {
  readonly api: KubernetesApi;
  /** For people: the kind, and the namespace if it is one. */
  readonly name: string;
  /** Of the metrics: the kind's plural. */
  readonly resource: string;
  readonly path: string;
  readonly namespace: string | null;
  readonly labelSelector: string | null;
  readonly metadataOnly: boolean;
  /** What is kept of an object; null: it is none of ours. */
  readonly entryOf: (raw: Raw) => Entry<Value> | null;
  readonly cache: ObjectCache<Value>;
  readonly log: Logger;
  readonly metrics: WatchMetrics;
  /** How long one watch is asked to last, at least; the next one goes on where it ends. */
  readonly watchSeconds?: number;
  /** From 0 to 1. */
  readonly random: () => number;
}

interface Page<Raw> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string };
  /** Null in an empty list of metadata. */
  readonly items: readonly Raw[] | null;
}

/** The object of an error is a Status. */
type WatchEvent<Raw> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK"; readonly object: Raw }
  | {
      readonly type: "ERROR";
      readonly object: { readonly code?: number; readonly message?: string };
    };

const eventKinds: Readonly<Record<Exclude<WatchEvent<never>["type"], "ERROR">, EventKind>> = {
  ADDED: "added",
  MODIFIED: "modified",
  DELETED: "deleted",
  BOOKMARK: "bookmark",
};

const pageObjects = 500;
const listTimeoutMs = 60_000;
const usualWatchSeconds = 30;
/** After the time that the server was given. */
const watchGraceMs = 5_000;
const relistMs = 10 * 60_000;
const pauseMsMin = 250;
const pauseMsMax = 5_000;
/** Without a failure for so long, the next one is the first again. */
const quietMs = 30_000;

export class ResourceWatch<Raw extends RawObject, Value> {
  readonly name: string;
  readonly #options: WatchOptions<Raw, Value>;
  #version: string | null = null;
  #listedMs = 0;
  #failures = 0;
  #failedMs = 0;
  #synced = false;
  #restarts = 0;
  #lastHeardMs = performance.now();
  #lastTriedMs = performance.now();

  constructor(options: WatchOptions<Raw, Value>) {
    this.name = options.name;
    this.#options = options;
  }

  /** It was listed once. */
  get synced(): boolean {
    return this.#synced;
  }

  /** When the API server last said anything, by `performance.now()`. */
  get lastHeardMs(): number {
    return this.#lastHeardMs;
  }

  /** When it was last tried: a loop that does not try any more is broken. */
  get lastTriedMs(): number {
    return Math.max(this.#lastTriedMs, this.#lastHeardMs);
  }

  /** Watches that ended otherwise than planned. */
  get restarts(): number {
    return this.#restarts;
  }

  /** Until `signal`; it never fails. */
  async run(signal: AbortSignal): Promise<void> {
    this.#options.metrics.onStart(this.#options);
    while (!signal.aborted) {
      this.#lastTriedMs = performance.now();
      try {
        if (this.#version === null || this.#isRelistDue()) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error, signal);
      }
    }
  }

  #isRelistDue(): boolean {
    return performance.now() - this.#listedMs > relistMs * (1 + this.#options.random() / 4);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { api, path, labelSelector, metadataOnly, cache, namespace } = this.#options;
    const entries: Entry<Value>[] = [];
    let rest = "";
    let version = "";
    do {
      const query: Record<string, string> = { limit: String(pageObjects) };
      if (labelSelector !== null) query["labelSelector"] = labelSelector;
      if (rest !== "") query["continue"] = rest;
      const only = metadataOnly ? { only: "list" as const } : {};
      const request = { method: "GET", path, query, ...only, ofWatch: true } as const;
      const page = await api.send<Page<Raw>>({ ...request, timeoutMs: listTimeoutMs, signal });
      this.#heard();
      entries.push(...(page.items ?? []).flatMap((raw) => this.#options.entryOf(raw) ?? []));
      rest = page.metadata.continue ?? "";
      version = page.metadata.resourceVersion;
    } while (rest !== "");
    const prefix = namespace === null ? "" : `${namespace}/`;
    cache.replace(entries, (key) => key.startsWith(prefix));
    this.#options.metrics.onList(this.#options, cache.size);
    this.#version = version;
    this.#listedMs = performance.now();
    this.#synced = true;
  }

  async #watch(signal: AbortSignal): Promise<void> {
    const { api, path, labelSelector, metadataOnly, metrics } = this.#options;
    const seconds = this.#seconds();
    const query: Record<string, string> = {
      watch: "true",
      allowWatchBookmarks: "true",
      resourceVersion: this.#version ?? "",
      timeoutSeconds: String(seconds),
    };
    if (labelSelector !== null) query["labelSelector"] = labelSelector;
    const startMs = performance.now();
    await api.stream({
      path,
      query,
      only: metadataOnly ? "object" : undefined,
      timeoutMs: seconds * 1000 + watchGraceMs,
      signal,
      onOpen: () => {
        this.#heard();
        metrics.onConnected(this.#options);
      },
      onLine: (line) => {
        this.#heard();
        this.#take(JSON.parse(line));
      },
    });
    // A server that ends every watch at once is not asked again at once.
    if (performance.now() - startMs < 1_000) {
      throw new KubernetesApiError("unavailable", 0, `the watch of ${path} ended at once`);
    }
  }

  #seconds(): number {
    const { random, watchSeconds = usualWatchSeconds } = this.#options;
    return Math.round(watchSeconds * (1 + random() / 2));
  }

  /** @throws KubernetesApiError where it is the server's last word */
  #take(event: WatchEvent<Raw>): void {
    const { cache, entryOf, metrics } = this.#options;
    switch (event.type) {
      case "ADDED":
      case "MODIFIED": {
        const entry = entryOf(event.object);
        if (entry === null) cache.remove(keyOf(event.object));
        else cache.put(entry);
        break;
      }
      case "DELETED":
        cache.remove(keyOf(event.object));
        break;
      case "BOOKMARK":
        break;
      case "ERROR": {
        const { code = 0, message = "" } = event.object;
        // Whatever is said instead of an event, the one after it may be lost: only a list can be trusted.
        this.#version = null;
        throw new KubernetesApiError(code === 410 ? "expired" : "unavailable", code, message);
      }
    }
    this.#version = event.object.metadata.resourceVersion;
    metrics.onEvent(this.#options, eventKinds[event.type]);
    metrics.onSize(this.#options, cache.size);
  }

  async #recover(error: unknown, signal: AbortSignal): Promise<void> {
    const { log, random, name, metrics } = this.#options;
    metrics.onRestart(this.#options);
    const nowMs = performance.now();
    if (nowMs - this.#failedMs > quietMs) this.#failures = 0;
    this.#restarts += 1;
    const code = apiErrorCode(error);
    // A server that is overloaded or fails is not asked for a list on top; the version is as good as before.
    if (code !== "unavailable") this.#version = null;
    if (code === null) log.error({ err: error, watch: name }, "a watch failed");
    else log.warn({ watch: name, reason: messageOf(error) }, "a watch is started again");
    const pauseMs = Math.min(pauseMsMin * 2 ** this.#failures, pauseMsMax) * (0.5 + random());
    this.#failures += 1;
    this.#failedMs = nowMs;
    await sleep(pauseMs, undefined, { signal }).catch(() => {});
  }

  #heard(): void {
    this.#lastHeardMs = performance.now();
  }
}

export function keyOf({ metadata: { namespace, name } }: RawObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
