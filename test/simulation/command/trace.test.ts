import { expect, test } from "@jest/globals";
import type { SimEvent } from "../events.ts";
import { traceLine } from "./trace.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const batch = { first: 8, count: 3, timeUs: 900, bytes: new Uint8Array(5) };
const record = { vm: "vm-1", epoch: 3, primary: "a1", backup: null, takeovers: 1 };

test.each<[string, SimEvent]>([
  ["     0.000  a1      started  on a", { atMs: 0, kind: "started", process: "a1", node: "a" }],
  [
    "    12.500  a1      ended    on a: superseded: epoch 4 names b1",
    {
      ...{ atMs: 12.5, kind: "ended", process: "a1", node: "a" },
      ...{ reason: "superseded", message: "epoch 4 names b1" },
    },
  ],
  [
    "     1.250  b1      input    follower: link 2 batch 8..10 -> replay 8..10; send 2 ack 10, executed 7",
    {
      ...{ atMs: 1.25, kind: "input", process: "b1", role: "follower" },
      input: { kind: "message", link: 2, message: { kind: "batch", batch } },
      effects: [
        { kind: "executor", command: { kind: "replay", batch } },
        {
          kind: "send",
          link: 2,
          message: { kind: "ack", received: 10, executed: 7, executedUs: 1 },
        },
      ],
    },
  ],
  [
    '     2.000  a1      executed 7 at 900 us chain 0000002a state ffffffff writer 1 @0+2 "hi" => @5+3 "hi."',
    {
      ...{ atMs: 2, kind: "executed", process: "a1" },
      step: {
        entry: {
          index: 7,
          timeUs: 900,
          inputs: [{ kind: "console", writer: 1, position: 0, bytes: bytes("hi") }],
        },
        ...{ chain: 42, parent: 41, fingerprint: -1, taken: [] },
        outputs: [{ kind: "console", position: 5, bytes: bytes("hi\n") }],
      },
    },
  ],
  [
    '     3.000  client1 seen     @100+30 "012345678901234567890123"…',
    {
      ...{ atMs: 3, kind: "seen", writer: 1, position: 100 },
      bytes: bytes("0123456789".repeat(3)),
    },
  ],
  [
    "     4.000  record  granted  epoch 3 primary a1 backup - takeovers 1",
    { atMs: 4, kind: "granted", record },
  ],
  [
    "     5.000  record  answered call 9: refused (stale epoch) epoch 3 primary a1 backup - takeovers 1",
    {
      ...{ atMs: 5, kind: "answered", call: 9 },
      answer: { kind: "outcome", outcome: { kind: "refused", reason: "stale epoch", record } },
    },
  ],
  [
    "     6.000  -       fault    the connection of a breaks; 50% of what is on its way arrives",
    { atMs: 6, kind: "fault", fault: { atMs: 6, kind: "cut", node: "a", share: 0.5 } },
  ],
  ["     7.000  -       calm     no more faults", { atMs: 7, kind: "calm" }],
])("%s", (line, event) => {
  expect(traceLine(event)).toBe(line);
});
