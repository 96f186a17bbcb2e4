/**
 * A network card with a small driver in a small memory, for tests: the driver makes buffers
 * available and looks at what came back, and may write any nonsense in between.
 */
import type { Card } from "../src/vm-runner/devices/network/device.ts";
import type { GuestMemory, Virtqueue } from "../src/vm-runner/devices/network/virtqueue.ts";

/** One buffer of a chain; `length` alone: an empty one that the device may write. */
export type Buffer = { readonly bytes: Uint8Array } | { readonly length: number };

/** What the driver finds in the used ring. */
export interface Used {
  readonly head: number;
  readonly written: number;
}

export const memoryBytes = 1 << 18;
const buffersStart = 0x4000;
const ringBytes = 0x1000;
const isWritable = 2;
const hasNext = 1;

/** A queue of 8 and the driver's side of it. */
export class FakeQueue implements Virtqueue {
  readonly size = 8;
  readonly descriptors: number;
  isEnabled = true;
  available: number;
  used: number;
  taken = 0;
  readonly #memory: FakeMemory;
  #nextDescriptor = 0;

  constructor(memory: FakeMemory, place: number) {
    this.#memory = memory;
    this.descriptors = place;
    this.available = place + 0x400;
    this.used = place + 0x800;
  }

  /** Makes a chain of these buffers available; gives the address of each. */
  offer(...buffers: readonly Buffer[]): number[] {
    const head = this.#nextDescriptor % this.size;
    const addresses = buffers.map((buffer, i) => {
      const index = this.#nextDescriptor++ % this.size;
      const isLast = i === buffers.length - 1;
      const length = "bytes" in buffer ? buffer.bytes.length : buffer.length;
      const address = this.#memory.allocate(length);
      if ("bytes" in buffer) this.#memory.bytes.set(buffer.bytes, address);
      const flags = ("bytes" in buffer ? 0 : isWritable) | (isLast ? 0 : hasNext);
      this.describe(index, { address, length, flags, next: (index + 1) % this.size });
      return address;
    });
    this.makeAvailable(head);
    return addresses;
  }

  describe(
    index: number,
    descriptor: { address: number; length: number; flags: number; next: number; high?: number },
  ): void {
    const { view } = this.#memory;
    const at = this.descriptors + 16 * index;
    view.setUint32(at, descriptor.address, true);
    view.setUint32(at + 4, descriptor.high ?? 0, true);
    view.setUint32(at + 8, descriptor.length, true);
    view.setUint16(at + 12, descriptor.flags, true);
    view.setUint16(at + 14, descriptor.next, true);
  }

  makeAvailable(head: number): void {
    const { view } = this.#memory;
    const index = view.getUint16(this.available + 2, true);
    view.setUint16(this.available + 4 + 2 * (index % this.size), head, true);
    view.setUint16(this.available + 2, (index + 1) & 0xffff, true);
  }

  /** Both indices as after so many chains. */
  advanceTo(index: number): void {
    this.taken = index;
    this.#memory.view.setUint16(this.available + 2, index, true);
    this.#memory.view.setUint16(this.used + 2, index, true);
  }

  set wantsNoInterrupt(value: boolean) {
    this.#memory.view.setUint16(this.available, value ? 1 : 0, true);
  }

  /** The last `count` entries of the used ring. */
  lastUsed(count: number): Used[] {
    const { view } = this.#memory;
    const end = this.usedIndex;
    return Array.from({ length: count }, (_, i) => {
      const at = this.used + 4 + 8 * ((end - count + i) & (this.size - 1));
      return { head: view.getUint32(at, true), written: view.getUint32(at + 4, true) };
    });
  }

  get usedIndex(): number {
    return this.#memory.view.getUint16(this.used + 2, true);
  }
}

export class FakeMemory implements GuestMemory {
  readonly bytes = new Uint8Array(memoryBytes);
  readonly view = new DataView(this.bytes.buffer);
  /** Ranges that were told to be written. */
  readonly written: [number, number][] = [];
  #end = buffersStart;

  onWritten(start: number, end: number): void {
    this.written.push([start, end]);
  }

  /** Room for `length` bytes; the place is used again when the memory is full. */
  allocate(length: number): number {
    if (this.#end + length > memoryBytes) this.#end = buffersStart;
    const address = this.#end;
    this.#end += length;
    return address;
  }

  at(address: number, length: number): Uint8Array {
    return this.bytes.slice(address, address + length);
  }
}

export class FakeCard implements Card {
  readonly memory = new FakeMemory();
  readonly receive = new FakeQueue(this.memory, 0);
  readonly transmit = new FakeQueue(this.memory, ringBytes);
  isDriverReady = true;
  acceptedFeatures = 0;
  interrupts = 0;

  interrupt(): void {
    this.interrupts++;
  }
}
