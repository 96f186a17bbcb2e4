import { expect, test } from "@jest/globals";
import { type Buffer, FakeMemory, FakeQueue, memoryBytes } from "../../../../test/fake-card.ts";
import { bytesIn } from "../../../shared/bytes.ts";
import {
  availableChains,
  gather,
  returnChain,
  scatter,
  takeChain,
  wantsInterrupt,
} from "./virtqueue.ts";

const writable = 2;
const next = 1;
const indirect = 4;
const text = (value: string): Buffer => ({ bytes: new TextEncoder().encode(value) });

function queue() {
  const memory = new FakeMemory();
  return { memory, queue: new FakeQueue(memory, 0) };
}

test("a chain comes with its buffers in order, and goes back with what was written", () => {
  const { memory, queue: q } = queue();
  const [, , third] = q.offer(text("ab"), text("cde"), { length: 4 }, { length: 4 });
  expect(availableChains(q, memory)).toBe(1);
  const chain = takeChain(q, memory);
  expect(new TextDecoder().decode(gather(chain.readable, new Uint8Array(64)))).toBe("abcde");
  expect(bytesIn(chain.writable)).toBe(8);
  scatter(memory, chain.writable, new TextEncoder().encode("vwxyz"));
  returnChain(q, memory, chain.head, 5);
  expect(new TextDecoder().decode(memory.at(third ?? 0, 5))).toBe("vwxyz");
  expect(q.lastUsed(1)).toEqual([{ head: 0, written: 5 }]);
  expect(availableChains(q, memory)).toBe(0);
});

test("every byte that is written is told, so that no translated code survives", () => {
  const { memory, queue: q } = queue();
  q.offer({ length: 3 }, { length: 100 });
  const before = memory.bytes.slice();
  const { head, writable: buffers } = takeChain(q, memory);
  scatter(memory, buffers, new Uint8Array(50).fill(7));
  returnChain(q, memory, head, 50);
  const changed = [...memory.bytes.keys()].filter((at) => memory.bytes[at] !== before[at]);
  expect(changed.length).toBeGreaterThan(50);
  const isTold = (at: number) => memory.written.some(([start, end]) => at >= start && at < end);
  expect(changed.filter((at) => !isTold(at))).toEqual([]);
});

test("the indices go on over their end, and so do the rings", () => {
  const { memory, queue: q } = queue();
  q.advanceTo(0xfffe);
  for (let i = 0; i < 5; i++) q.offer(text(`frame ${i}`));
  expect(availableChains(q, memory)).toBe(5);
  for (let i = 0; i < 5; i++) {
    const chain = takeChain(q, memory);
    expect(new TextDecoder().decode(gather(chain.readable, new Uint8Array(64)))).toBe(`frame ${i}`);
    returnChain(q, memory, chain.head, i);
  }
  expect(q.usedIndex).toBe(3);
  expect(q.lastUsed(5).map(({ head, written }) => [head, written])).toEqual([
    [0, 0],
    [1, 1],
    [2, 2],
    [3, 3],
    [4, 4],
  ]);
});

test("the driver says whether it wants an interrupt", () => {
  const { memory, queue: q } = queue();
  expect(wantsInterrupt(q, memory)).toBe(true);
  q.wantsNoInterrupt = true;
  expect(wantsInterrupt(q, memory)).toBe(false);
});

const end = memoryBytes;
test.each<[string, (q: FakeQueue) => void]>([
  ["that is not enabled", (q) => Object.assign(q, { isEnabled: false })],
  ["of size 0", (q) => Object.assign(q, { size: 0 })],
  ["whose descriptors leave the memory", (q) => Object.assign(q, { descriptors: end - 127 })],
  ["whose available ring leaves the memory", (q) => Object.assign(q, { available: end - 19 })],
  ["whose used ring leaves the memory", (q) => Object.assign(q, { used: end - 67 })],
  ["at the end of all addresses", (q) => Object.assign(q, { available: 0xffff_fffc })],
  ["with more chains than it has room for", (q) => Object.assign(q, { taken: 0xfff8 })],
])("a queue %s counts as empty", (_, spoil) => {
  const { memory, queue: q } = queue();
  q.offer(text("x"));
  expect(availableChains(q, memory)).toBe(1);
  spoil(q);
  expect(availableChains(q, memory)).toBe(0);
});

const plain = { address: 0x4000, length: 4, flags: 0, next: 0 };
test.each<[string, (q: FakeQueue) => void]>([
  ["that is a ring of its own", (q) => q.describe(0, { ...plain, flags: next, next: 0 })],
  ["that goes on outside the table", (q) => q.describe(0, { ...plain, flags: next, next: 8 })],
  ["that begins outside the table", (q) => q.makeAvailable(0xffff)],
  ["with a table of its own", (q) => q.describe(0, { ...plain, flags: indirect })],
  ["beyond the memory", (q) => q.describe(0, { ...plain, address: end - 3 })],
  ["above 4 GiB", (q) => q.describe(0, { ...plain, high: 1 })],
  ["of 4 GiB", (q) => q.describe(0, { ...plain, length: 0xffff_ffff })],
  [
    "to be read behind one to be written",
    (q) => q.describe(0, { ...plain, flags: writable | next, next: 1 }),
  ],
])("a chain %s comes without buffers", (name, spoil) => {
  const { memory, queue: q } = queue();
  q.describe(1, plain);
  spoil(q);
  if (!name.startsWith("that begins")) q.makeAvailable(0);
  expect(availableChains(q, memory)).toBe(1);
  expect(takeChain(q, memory)).toMatchObject({ readable: [], writable: [] });
  expect(availableChains(q, memory)).toBe(0);
});

test("a chain may have as many buffers as its queue", () => {
  const { memory, queue: q } = queue();
  q.offer(...Array.from({ length: 8 }, (_, i) => text(String(i))));
  expect(new TextDecoder().decode(gather(takeChain(q, memory).readable, new Uint8Array(64)))).toBe(
    "01234567",
  );
});
