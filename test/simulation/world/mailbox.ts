/**
 * What reaches a process that stands still: kept by its sources, each in its order. When the
 * process goes on, nobody can say which source is looked at first.
 */
import { pick, type Random } from "./random.ts";

export class Mailbox<T> {
  readonly #bySource = new Map<string, T[]>();

  put(source: string, item: T): void {
    const waiting = this.#bySource.get(source);
    if (waiting === undefined) this.#bySource.set(source, [item]);
    else waiting.push(item);
  }

  /** The first of any source; undefined: there is nothing. */
  take(random: Random): T | undefined {
    if (this.#bySource.size === 0) return undefined;
    const source = pick(random, [...this.#bySource.keys()]);
    const waiting = this.#bySource.get(source) ?? [];
    const item = waiting.shift();
    if (waiting.length === 0) this.#bySource.delete(source);
    return item;
  }
}
