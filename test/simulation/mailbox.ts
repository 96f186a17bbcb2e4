/**
 * What reaches a process that stands still: kept by its sources, each in its order. When the
 * process goes on, nobody can say which source is looked at first.
 */
import { below, type Random } from "./random.ts";

export class Mailbox<T> {
  readonly #bySource = new Map<string, T[]>();

  put(source: string, item: T): void {
    const waiting = this.#bySource.get(source);
    if (waiting === undefined) this.#bySource.set(source, [item]);
    else waiting.push(item);
  }

  /** Empties the mailbox: all of it, the sources mixed in any way. */
  takeAll(random: Random): T[] {
    const sources = [...this.#bySource.values()];
    this.#bySource.clear();
    const taken: T[] = [];
    while (sources.length > 0) {
      const at = below(random, sources.length);
      const source = sources[at];
      const item = source?.shift();
      if (item === undefined) sources.splice(at, 1);
      else taken.push(item);
    }
    return taken;
  }
}
