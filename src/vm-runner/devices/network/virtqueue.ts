/**
 * The device's side of a split virtqueue (virtio 1.2, section 2.7), straight on the guest's memory.
 * A driver may have written anything there: every address is compared with the memory before it is
 * used, a chain is at most as long as its queue, and a queue that makes no sense counts as empty.
 * So the worst that a driver can do is to lose its own frames.
 */

/** Where the queue lies and how far it was used; the fields are v86's, which saves them. */
export interface Virtqueue {
  readonly isEnabled: boolean;
  /** Descriptors, and entries of each ring; a power of two. */
  readonly size: number;
  /** Guest addresses of the descriptor table and of the two rings. */
  readonly descriptors: number;
  readonly available: number;
  readonly used: number;
  /** Number of the next available entry to take, modulo 2^16. */
  taken: number;
}

export interface GuestMemory {
  readonly bytes: Uint8Array;
  /** Code that was translated from there is not valid any more. */
  onWritten(start: number, end: number): void;
}

/** Buffers that the driver made available together. */
export interface Chain {
  readonly head: number;
  readonly readable: readonly Uint8Array[];
  readonly writable: readonly Uint8Array[];
}

const descriptorBytes = 16;
const usedEntryBytes = 8;
/** Flags and index, in front of the entries of either ring. */
const ringHeaderBytes = 4;
const indexOffset = 2;
const hasNext = 1;
const isWritable = 2;
const noInterrupt = 1;
const indexMask = 0xffff;

/** Chains that the driver has made available and that were not taken. */
export function availableChains(queue: Virtqueue, { bytes }: GuestMemory): number {
  if (!isUsable(queue, bytes.length)) return 0;
  const count = (u16(bytes, queue.available + indexOffset) - queue.taken) & indexMask;
  return count > queue.size ? 0 : count;
}

/** The next chain; there must be one. One that makes no sense comes without buffers. */
export function takeChain(queue: Virtqueue, { bytes }: GuestMemory): Chain {
  const slot = queue.taken & (queue.size - 1);
  queue.taken = (queue.taken + 1) & indexMask;
  const head = u16(bytes, queue.available + ringHeaderBytes + 2 * slot);
  return walk(queue, bytes, head) ?? { head, readable: [], writable: [] };
}

/** Gives a chain back to the driver; `written`: bytes in its writable buffers. */
export function returnChain(
  queue: Virtqueue,
  memory: GuestMemory,
  head: number,
  written: number,
): void {
  const index = u16(memory.bytes, queue.used + indexOffset);
  const entry = queue.used + ringHeaderBytes + usedEntryBytes * (index & (queue.size - 1));
  write32(memory.bytes, entry, head);
  write32(memory.bytes, entry + 4, written);
  memory.onWritten(entry, entry + usedEntryBytes);
  memory.bytes[queue.used + indexOffset] = (index + 1) & 0xff;
  memory.bytes[queue.used + indexOffset + 1] = ((index + 1) >> 8) & 0xff;
  memory.onWritten(queue.used, queue.used + ringHeaderBytes);
}

/** Whether the driver wants an interrupt for chains that were given back. */
export function wantsInterrupt(queue: Virtqueue, { bytes }: GuestMemory): boolean {
  return (u16(bytes, queue.available) & noInterrupt) === 0;
}

/** A copy of all that the buffers hold, at the beginning of `target`, where it must fit. */
export function gather(buffers: readonly Uint8Array[], target: Uint8Array): Uint8Array {
  let at = 0;
  for (const buffer of buffers) {
    target.set(buffer, at);
    at += buffer.length;
  }
  return target.subarray(0, at);
}

/** Writes `content`, which must fit, over the buffers. */
export function scatter(
  memory: GuestMemory,
  buffers: readonly Uint8Array[],
  content: Uint8Array,
): void {
  let at = 0;
  for (const buffer of buffers) {
    const part = content.subarray(at, at + buffer.length);
    buffer.set(part);
    const start = buffer.byteOffset - memory.bytes.byteOffset;
    if (part.length > 0) memory.onWritten(start, start + part.length);
    at += part.length;
  }
}

function isUsable(queue: Virtqueue, memoryBytes: number): boolean {
  const { isEnabled, size, descriptors, available, used } = queue;
  return (
    isEnabled &&
    size > 0 &&
    descriptors + descriptorBytes * size <= memoryBytes &&
    available + ringHeaderBytes + 2 * size <= memoryBytes &&
    used + ringHeaderBytes + usedEntryBytes * size <= memoryBytes
  );
}

/** null: a chain that no driver should have made. */
function walk(queue: Virtqueue, bytes: Uint8Array, head: number): Chain | null {
  const readable: Uint8Array[] = [];
  const writable: Uint8Array[] = [];
  let index = head;
  for (let length = 1; length <= queue.size; length++) {
    if (index >= queue.size) return null;
    const at = queue.descriptors + descriptorBytes * index;
    const flags = u16(bytes, at + 12);
    const buffer = region(bytes, at);
    const inOrder = (flags & isWritable) !== 0 || writable.length === 0;
    if (buffer === null || (flags & ~(hasNext | isWritable)) !== 0 || !inOrder) return null;
    ((flags & isWritable) === 0 ? readable : writable).push(buffer);
    if ((flags & hasNext) === 0) return { head, readable, writable };
    index = u16(bytes, at + 14);
  }
  return null;
}

/** The memory that the descriptor at `at` names; null: it names what is no memory. */
function region(bytes: Uint8Array, at: number): Uint8Array | null {
  const address = u32(bytes, at);
  const length = u32(bytes, at + 8);
  if (u32(bytes, at + 4) !== 0 || address + length > bytes.length) return null;
  return bytes.subarray(address, address + length);
}

function u16(bytes: Uint8Array, at: number): number {
  // SAFETY: `isUsable` has compared the table and both rings with the memory's length.
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}

function u32(bytes: Uint8Array, at: number): number {
  return (u16(bytes, at) | (u16(bytes, at + 2) << 16)) >>> 0;
}

function write32(bytes: Uint8Array, at: number, value: number): void {
  for (let i = 0; i < 4; i++) bytes[at + i] = (value >>> (8 * i)) & 0xff;
}
