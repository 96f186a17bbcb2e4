/**
 * All objects of one kind as the API server has them, kept up to date: a list, then a watch from
 * where the list ended, again and again. Whoever reads it sees a state that the cluster was in.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { ApiClient } from "./api-client.ts";
import type { KubernetesObject } from "./kubernetes-objects.ts";

/** How to ask for a collection, and for the lines of a watch. */
export type ObjectSource = Pick<ApiClient, "get" | "lines">;

interface List {
  readonly metadata: { readonly resourceVersion: string };
  readonly items: readonly KubernetesObject[];
}

interface WatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: KubernetesObject & { readonly message?: string };
}

/** The server ends a watch after this time: a connection that died silently is noticed then. */
const watchSeconds = 120;
const watchTimeoutMs = (watchSeconds + 30) * 1000;
const retryMs = 500;

export class WatchedObjects<T extends KubernetesObject> {
  readonly #client: ObjectSource;
  readonly #path: string;
  readonly #onChange: () => void;
  #objects = new Map<string, T>();
  #isListed = false;

  /** `path` of the collection, as "/api/v1/pods". */
  constructor(client: ObjectSource, path: string, onChange: () => void) {
    this.#client = client;
    this.#path = path;
    this.#onChange = onChange;
  }

  /** False before the first list: what there is, is not known yet. */
  get isListed(): boolean {
    return this.#isListed;
  }

  get all(): readonly T[] {
    return [...this.#objects.values()];
  }

  /** Runs until `signal`; an API server that cannot be reached is asked again. */
  async run(signal: AbortSignal, report: (trouble: string) => void): Promise<void> {
    let told = "";
    while (!signal.aborted) {
      try {
        let version = await this.#list();
        told = "";
        while (!signal.aborted) version = await this.#watch(version, signal);
      } catch (error) {
        if (signal.aborted) return;
        const trouble = `${this.#path}: ${error instanceof Error ? error.message : String(error)}`;
        // Once: an API server may be stopped for long.
        if (trouble !== told) report(trouble);
        told = trouble;
        await pause(retryMs);
      }
    }
  }

  async #list(): Promise<string> {
    // SAFETY: the API server's answer to a GET of a collection is a List of it.
    const list = (await this.#client.get(this.#path)) as List;
    this.#objects = new Map();
    for (const object of list.items) this.#keep(object);
    this.#isListed = true;
    this.#onChange();
    return list.metadata.resourceVersion;
  }

  /** Until the server ends it; answers with where the next watch begins. */
  async #watch(from: string, stop: AbortSignal): Promise<string> {
    const query = `watch=1&allowWatchBookmarks=true&timeoutSeconds=${watchSeconds}`;
    const bounded = AbortSignal.any([stop, AbortSignal.timeout(watchTimeoutMs)]);
    let version = from;
    const path = `${this.#path}?${query}&resourceVersion=${version}`;
    for await (const line of this.#client.lines(path, bounded)) {
      const { type, object }: WatchEvent = JSON.parse(line);
      // Most often: what changed since `from` is no longer known. The list is taken anew.
      if (type === "ERROR") throw new Error(`the watch ended: ${object.message}`);
      version = object.metadata.resourceVersion ?? version;
      if (type === "BOOKMARK") continue;
      if (type === "DELETED") this.#objects.delete(keyOf(object));
      else this.#keep(object);
      this.#onChange();
    }
    return version;
  }

  #keep(object: KubernetesObject): void {
    // SAFETY: the collection at `path` holds objects of this kind only.
    this.#objects.set(keyOf(object), object as T);
  }
}

function keyOf({ metadata: { namespace = "", name } }: KubernetesObject): string {
  return `${namespace}/${name}`;
}
