/**
 * What one operator has heard of: the real caches, fed by watches that are late, each in its own way, and
 * sometimes broken until the next list.
 */

import type { FTVirtualMachine } from "../../../../src/operator/api/v1alpha1.ts";
import { type Entry, ObjectCache } from "../../../../src/operator/kube/object-cache.ts";
import {
  type KeptObject,
  type KeptPod,
  leaseEntry,
  machineEntry,
  nodeEntry,
  objectEntry,
  podEntry,
  serviceEntry,
} from "../../../../src/operator/kube/observed.ts";
import type { ObservedNode } from "../../../../src/operator/reconcile/observation.ts";
import type { Lease } from "../../../../src/storage-arbiter/record/kube-lease.ts";
import type { Random } from "../../world/random.ts";
import { controllerOf, type Kind, kinds, namespace, type Rows } from "./api-server.ts";
import type { World } from "./world.ts";

export class View {
  readonly machines: ObjectCache<FTVirtualMachine>;
  readonly pods: ObjectCache<KeptPod>;
  readonly leases: ObjectCache<Lease>;
  readonly nodes: ObjectCache<ObservedNode>;
  /** By `Kind/name`, but for Secrets, which nobody watches. */
  readonly objects: ObjectCache<KeptObject>;
  readonly #world: World;
  readonly #random: Random;
  readonly #lastMs = new Map<Kind, number>();
  readonly #slowUntilMs = new Map<Kind, number>();
  readonly #broken = new Map<Kind, number>();
  #heard = false;

  constructor(world: World, random: Random, onChange: () => void) {
    this.#world = world;
    this.#random = random;
    const now = () => world.nowMs;
    this.machines = new ObjectCache(onChange, now);
    this.pods = new ObjectCache(onChange, now);
    this.leases = new ObjectCache(onChange, now);
    this.nodes = new ObjectCache(onChange, now);
    this.objects = new ObjectCache(onChange, now);
    world.api.watch((kind, name, row) => this.#deliver(kind, name, row));
  }

  get ready(): boolean {
    return this.#heard;
  }

  listAll(): void {
    for (const kind of kinds) this.#list(kind);
    this.#heard = true;
  }

  /** Until then every word of this kind is late. */
  slow(kind: Kind, forMs: number): void {
    this.#slowUntilMs.set(kind, this.#world.nowMs + forMs);
  }

  /** Nothing is heard of this kind, and then all of it. */
  breakOff(kind: Kind, forMs: number): void {
    const number = (this.#broken.get(kind) ?? 0) + 1;
    this.#broken.set(kind, number);
    this.#world.agenda.after(forMs, () => {
      if (this.#broken.get(kind) !== number) return;
      this.#broken.delete(kind);
      this.#list(kind);
    });
  }

  /** Everything is as fast as ever again. */
  calm(): void {
    this.#slowUntilMs.clear();
    for (const kind of this.#broken.keys()) this.#list(kind);
    this.#broken.clear();
  }

  /** No watch is slow or broken. */
  get isPrompt(): boolean {
    const { nowMs } = this.#world;
    const slow = [...this.#slowUntilMs.values(), ...this.#lastMs.values()];
    return this.#broken.size === 0 && slow.every((untilMs) => untilMs <= nowMs + 2_000);
  }

  #deliver(kind: Kind, name: string, row: Rows[Kind] | null): void {
    if (kind === "Secret" || this.#broken.has(kind)) return;
    const { nowMs, agenda } = this.#world;
    const leftMs = (this.#slowUntilMs.get(kind) ?? 0) - nowMs;
    const lateMs =
      leftMs > 0 ? Math.min(leftMs, 20_000) : this.#random() * this.#world.scenario.watchMs;
    const atMs = Math.max(nowMs + lateMs, this.#lastMs.get(kind) ?? 0);
    this.#lastMs.set(kind, atMs);
    agenda.after(atMs - nowMs, () => {
      if (!this.#broken.has(kind)) this.#hear(kind, name, row);
    });
  }

  #list(kind: Kind): void {
    if (kind === "Secret") return;
    const rows = this.#world.api.list(kind);
    const prefix = kind === "Node" ? "" : isObject(kind) ? `${kind}/` : `${namespace}/`;
    const there = new Set(rows.map(({ metadata }) => prefix + metadata.name));
    const cache = this.#cacheOf(kind);
    const known = [...cache.all()].map(({ key }) => key);
    for (const key of known) if (key.startsWith(prefix) && !there.has(key)) cache.remove(key);
    for (const row of rows) this.#hear(kind, row.metadata.name, row);
  }

  #hear(kind: Kind, name: string, row: Rows[Kind] | null): void {
    const prefix = kind === "Node" ? "" : isObject(kind) ? `${kind}/` : `${namespace}/`;
    const key = prefix + name;
    if (row === null) {
      this.#cacheOf(kind).remove(key);
      return;
    }
    // SAFETY: rows of a kind are of its type, which `Rows` says.
    const raw = row as never;
    switch (kind) {
      case "FTVirtualMachine":
        put(this.machines, machineEntry(raw));
        return;
      case "Pod":
        put(this.pods, podEntry(raw));
        return;
      case "Lease":
        // Of what it did not make itself the operator hears nothing.
        controllerOf(row) === null ? undefined : put(this.leases, leaseEntry(raw));
        return;
      case "Node":
        put(this.nodes, nodeEntry(raw));
        return;
      default: {
        const entry = kind === "Service" ? serviceEntry(raw) : objectEntry(raw);
        if (entry !== null && entry.value.owner !== null) this.objects.put({ ...entry, key });
      }
    }
  }

  #cacheOf(kind: Kind): Pick<ObjectCache<unknown>, "remove" | "all"> {
    switch (kind) {
      case "FTVirtualMachine":
        return this.machines;
      case "Pod":
        return this.pods;
      case "Lease":
        return this.leases;
      case "Node":
        return this.nodes;
      default:
        return this.objects;
    }
  }
}

function put<Value>(cache: ObjectCache<Value>, entry: Entry<Value> | null): void {
  if (entry !== null) cache.put(entry);
}

function isObject(kind: Kind): boolean {
  return kind !== "FTVirtualMachine" && kind !== "Pod" && kind !== "Lease" && kind !== "Node";
}
