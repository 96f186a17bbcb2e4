/**
 * A first-in-first-out queue as a value: appending and dropping give a new queue, and the old one
 * stays as it was. Queues that came of one another share an array that only grows at its end, each
 * knowing its own part of it; so an append costs the same however long the queue is.
 */

/** Fewer dropped items are not worth a copy of the rest. */
const dropsMin = 16;

export class Fifo<T> implements Iterable<T> {
  readonly #items: T[];
  readonly #start: number;
  readonly #end: number;

  private constructor(items: T[], start: number, end: number) {
    this.#items = items;
    this.#start = start;
    this.#end = end;
  }

  static of<T>(...items: T[]): Fifo<T> {
    return Fifo.#from(items);
  }

  static #from<T>(items: T[]): Fifo<T> {
    return new Fifo(items, 0, items.length);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  get first(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#start];
  }

  get last(): T | undefined {
    return this.length === 0 ? undefined : this.#items[this.#end - 1];
  }

  append(item: T): Fifo<T> {
    // Somebody else has appended to the same queue: from here on there are two arrays.
    if (this.#items.length !== this.#end) return Fifo.#from([...this, item]);
    this.#items.push(item);
    return new Fifo(this.#items, this.#start, this.#end + 1);
  }

  /** How many items at the front, one after the other, are so. */
  countWhile(isSo: (item: T) => boolean): number {
    for (let at = this.#start; at < this.#end; at++) {
      // SAFETY: the array holds an item at every place of this queue's part of it.
      if (!isSo(this.#items[at] as T)) return at - this.#start;
    }
    return this.length;
  }

  /** The first `count` items. */
  take(count: number): readonly T[] {
    return this.#items.slice(this.#start, Math.min(this.#start + count, this.#end));
  }

  /** All but the first `count` items. */
  drop(count: number): Fifo<T> {
    const start = Math.min(this.#start + count, this.#end);
    // What was dropped is let go before it is a third of what is left.
    const isSparse = start >= dropsMin && 4 * start > this.#end;
    if (start === this.#end || isSparse) return Fifo.#from(this.#items.slice(start, this.#end));
    return new Fifo(this.#items, start, this.#end);
  }

  *[Symbol.iterator](): Iterator<T> {
    // SAFETY: as above.
    for (let at = this.#start; at < this.#end; at++) yield this.#items[at] as T;
  }
}
