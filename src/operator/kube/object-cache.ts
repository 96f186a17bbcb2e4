/**
 * The objects of one kind, as last heard of, by key and by VM. What the operator has just written counts
 * before it is heard of: otherwise the next look would see the state before, and do it again. An
 * assumption ends with the first word about the object, and after a while by itself. Listeners hear of what
 * was heard, not of what is assumed: whatever was written is looked at once more.
 */
import { isDeepStrictEqual } from "node:util";

/** One object: what is kept of it. */
export interface Entry<Value> {
  /** `namespace/name`, or the name of what has no namespace. */
  readonly key: string;
  /** Key of the VM that it belongs to by its label; null: to none. */
  readonly vm: string | null;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly value: Value;
}

export type ChangeListener<Value> = (
  before: Entry<Value> | undefined,
  after: Entry<Value> | undefined,
) => void;

/** How long an assumption holds that nothing was heard of. */
const assumptionMsMax = 5_000;

interface Assumption<Value> {
  readonly before: Entry<Value> | undefined;
  readonly after: Entry<Value> | undefined;
  readonly endMs: number;
}

export class ObjectCache<Value> {
  readonly #entries = new Map<string, Entry<Value>>();
  readonly #byVm = new Map<string, Map<string, Entry<Value>>>();
  readonly #assumptions = new Map<string, Assumption<Value>>();
  readonly #onChange: ChangeListener<Value>;
  readonly #nowMs: () => number;

  constructor(onChange: ChangeListener<Value>, nowMs: () => number = () => performance.now()) {
    this.#onChange = onChange;
    this.#nowMs = nowMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): Entry<Value> | undefined {
    const heard = this.#entries.get(key);
    const assumed = this.#assumptions.get(key);
    if (assumed === undefined) return heard;
    if (assumed.before === heard && this.#nowMs() < assumed.endMs) return assumed.after;
    this.#assumptions.delete(key);
    return heard;
  }

  ofVm(vm: string): readonly Entry<Value>[] {
    const keys = new Set(this.#byVm.get(vm)?.keys());
    for (const [key, { after }] of this.#assumptions) if (after?.vm === vm) keys.add(key);
    return [...keys].flatMap((key) => this.get(key) ?? []);
  }

  all(): Iterable<Entry<Value>> {
    return this.#entries.values();
  }

  /** Keys of the VMs that have any. */
  vms(): Iterable<string> {
    return this.#byVm.keys();
  }

  /**
   * The object was written, and is like this now; undefined: it is gone. Nothing is assumed where as much,
   * or more, was heard before the answer to the write came: nothing would end such an assumption.
   */
  assume(key: string, after: Entry<Value> | undefined): void {
    const before = this.#entries.get(key);
    if (before !== undefined && after !== undefined && isAsNew(before, after)) return;
    this.#assumptions.set(key, { before, after, endMs: this.#nowMs() + assumptionMsMax });
  }

  put(entry: Entry<Value>): void {
    this.#assumptions.delete(entry.key);
    const old = this.#entries.get(entry.key);
    if (old !== undefined) this.#unlink(old);
    this.#entries.set(entry.key, entry);
    if (entry.vm !== null) {
      const ofVm = this.#byVm.get(entry.vm) ?? new Map<string, Entry<Value>>();
      this.#byVm.set(entry.vm, ofVm.set(entry.key, entry));
    }
    const same = old?.uid === entry.uid && old.vm === entry.vm;
    if (!same || !isDeepStrictEqual(old.value, entry.value)) this.#onChange(old, entry);
  }

  remove(key: string): void {
    this.#assumptions.delete(key);
    const old = this.#entries.get(key);
    if (old === undefined) return;
    this.#entries.delete(key);
    this.#unlink(old);
    this.#onChange(old, undefined);
  }

  /** All there is where `isInside` says so. */
  replace(entries: readonly Entry<Value>[], isInside: (key: string) => boolean): void {
    const there = new Set(entries.map(({ key }) => key));
    for (const key of [...this.#entries.keys()]) {
      if (isInside(key) && !there.has(key)) this.remove(key);
    }
    for (const entry of entries) this.put(entry);
  }

  #unlink({ key, vm }: Entry<Value>): void {
    if (vm === null) return;
    const ofVm = this.#byVm.get(vm);
    ofVm?.delete(key);
    if (ofVm?.size === 0) this.#byVm.delete(vm);
  }
}

/**
 * `heard` is the object as it is in `written`, or as it became later. Since version 1.35 Kubernetes promises
 * that resource versions of one kind are whole numbers, of any length, that grow; of any others only
 * equality says something.
 */
function isAsNew(heard: Entry<unknown>, written: Entry<unknown>): boolean {
  if (heard.resourceVersion === written.resourceVersion) return true;
  const comparable = [heard, written].every(({ resourceVersion }) => /^\d+$/.test(resourceVersion));
  if (heard.uid !== written.uid || !comparable) return false;
  return BigInt(heard.resourceVersion) > BigInt(written.resourceVersion);
}
