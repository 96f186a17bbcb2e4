import { expect, test } from "@jest/globals";
import type { EgressOutput } from "../machine/machine.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import { emptyHold, hasRoom, holdOutput, type OutputHold, releaseOutputs } from "./output-hold.ts";

function held(...indices: number[]): OutputHold {
  let hold = emptyHold;
  for (const [at, index] of indices.entries()) {
    const output = { kind: "console", position: at, bytes: new Uint8Array(index) } as const;
    hold = holdOutput(hold, { index, output, sinceMs: at });
  }
  return hold;
}

test.each([
  [-1, [], [3, 3, 5], -1],
  [2, [], [3, 3, 5], -1],
  [3, [3, 3], [5], 3],
  [4, [3, 3], [5], 3],
  [5, [3, 3, 5], [], 5],
  [Number.MAX_SAFE_INTEGER, [3, 3, 5], [], 5],
])(
  "acknowledged through %s, the outputs of steps %j leave and %j wait",
  (through, gone, kept, last) => {
    const { hold, released } = releaseOutputs(held(3, 3, 5), through);
    expect(released.map(({ index }) => index)).toEqual(gone);
    expect([...hold.held].map(({ index }) => index)).toEqual(kept);
    expect(hold.heldBytes).toBe(kept.reduce((sum, bytes) => sum + bytes, 0));
    expect(hold.released).toBe(last);
  },
);

test("outputs leave in the order in which they came", () => {
  const { released } = releaseOutputs(held(3, 3, 5), 9);
  expect(released.map(({ sinceMs }) => sinceMs)).toEqual([0, 1, 2]);
});

test("an output of an earlier step than the last one's cannot come", () => {
  expect(() => held(5, 4)).toThrow("output of step 4 came after one of step 5");
});

test.each<RunnerOutput>([
  { kind: "accepted", writer: 1, position: 99 },
  { kind: "ingressAccepted", gateway: 1, next: 99 },
])("what somebody is told ($kind) counts no bytes", (output) => {
  const hold = holdOutput(emptyHold, { index: 1, output, sinceMs: 0 });
  expect(hold).toMatchObject({ heldBytes: 0, heldEgressBytes: 0 });
});

test("frames count apart from the console, until they leave", () => {
  const sent = egress(100, 50);
  const before = held(3);
  const hold = holdOutput(before, { index: 4, output: sent, sinceMs: 0 });
  expect(hold).toMatchObject({ heldBytes: 3, heldEgressBytes: 150 });
  expect(releaseOutputs(hold, 3).hold).toMatchObject({ heldBytes: 0, heldEgressBytes: 150 });
  expect(releaseOutputs(hold, 4).hold).toMatchObject({ heldBytes: 0, heldEgressBytes: 0 });
});

test.each([
  [150, true],
  [149, false],
])("beside 100 bytes of frames, 50 more find room below a bound of %i: %s", (max, found) => {
  const hold = holdOutput(emptyHold, { index: 4, output: egress(100), sinceMs: 0 });
  expect(hasRoom(hold, egress(20, 30), max)).toBe(found);
});

function egress(...bytes: number[]): EgressOutput {
  return { kind: "egress", first: 0, frames: bytes.map((length) => new Uint8Array(length)) };
}

test("the last step released does not go back when an empty hold releases", () => {
  expect(releaseOutputs({ ...emptyHold, released: 7 }, 3).hold.released).toBe(7);
});
