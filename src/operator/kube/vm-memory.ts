/**
 * What the shell remembers of each VM between two looks, beyond what is in the API server: what was
 * refused, and objects that belong to somebody else and are therefore not watched. All of it may be
 * forgotten at any time; it is then found out again.
 */
import { type ObservedObject, objectKey, type Refusal } from "../reconcile/observation.ts";

interface Memory {
  /** The newest for each kind of try, oldest first. */
  readonly refusals: Map<string, Refusal>;
  readonly foreign: Map<string, { readonly object: ObservedObject; readonly atMs: number }>;
}

/** A refusal that was not repeated for so long says nothing about now. */
const refusalMsMax = 10 * 60_000;
/** After so long the API server is asked again whether an object still belongs to somebody else. */
export const foreignMsMax = 30_000;

export class VmMemory {
  /** By the VM's uid. */
  readonly #memories = new Map<string, Memory>();

  refusals(uid: string, nowMs: number): readonly Refusal[] {
    const all = [...(this.#memories.get(uid)?.refusals.values() ?? [])];
    return all.filter(({ atMs }) => nowMs - atMs < refusalMsMax);
  }

  /** `kind`: of the try, such as createPod. */
  refuse(uid: string, kind: string, refusal: Refusal): void {
    const { refusals } = this.#of(uid);
    refusals.delete(kind);
    refusals.set(kind, refusal);
  }

  /** A try of this kind was taken: what was refused before is over. */
  accept(uid: string, kind: string): void {
    this.#memories.get(uid)?.refusals.delete(kind);
  }

  /** By `objectKey`. */
  foreign(uid: string, nowMs: number): readonly (readonly [string, ObservedObject])[] {
    const foreign = this.#memories.get(uid)?.foreign;
    if (foreign === undefined) return [];
    for (const [key, { atMs }] of foreign) if (nowMs - atMs >= foreignMsMax) foreign.delete(key);
    return [...foreign].map(([key, { object }]) => [key, object] as const);
  }

  noteForeign(uid: string, object: ObservedObject, nowMs: number): void {
    this.#of(uid).foreign.set(objectKey(object.kind, object.name), { object, atMs: nowMs });
  }

  forget(uid: string): void {
    this.#memories.delete(uid);
  }

  #of(uid: string): Memory {
    const known = this.#memories.get(uid) ?? { refusals: new Map(), foreign: new Map() };
    this.#memories.set(uid, known);
    return known;
  }
}
