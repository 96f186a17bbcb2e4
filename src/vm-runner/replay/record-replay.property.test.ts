import { expect, test } from "@jest/globals";
import fc from "fast-check";
import {
  pause,
  Rig,
  recorder,
  replay,
  replayed,
  send,
  start,
  type,
} from "../../../test/executor-rig.ts";
import { SimulatedMachine } from "../../../test/simulation/machine/machine.ts";
import type { ExecutorCommand } from "./executor-protocol.ts";

type Action =
  | { readonly kind: "turns" | "pauseUs"; readonly count: number }
  | { readonly kind: "type"; readonly text: string }
  /** The gateway sends so many frames that it sent before, and so many new ones. */
  | { readonly kind: "send"; readonly again: number; readonly fresh: number }
  | { readonly kind: "command"; readonly command: ExecutorCommand };

const anyAction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("turns" as const), count: fc.nat(60) }) },
  fc.record({ kind: fc.constant("pauseUs" as const), count: fc.nat(3_000_000) }),
  fc.record({ kind: fc.constant("type" as const), text: fc.stringMatching(/^[a-zC]{1,40}$/) }),
  fc.record({ kind: fc.constant("send" as const), again: fc.nat(9), fresh: fc.nat(30) }),
  fc
    .double({ min: 0.05, max: 1, noNaN: true })
    .map((share) => ({ kind: "command" as const, command: { kind: "cpuLimit" as const, share } })),
  fc
    .constantFrom<ExecutorCommand>(
      { kind: "takeSnapshot", id: 1 },
      { kind: "readSnapshot", id: 1 },
      { kind: "releaseSnapshot", id: 1 },
    )
    .map((command) => ({ kind: "command" as const, command })),
);

/** Gives the number after the last frame that the gateway sent. */
async function perform(rig: Rig, actions: readonly Action[], sent = 0): Promise<number> {
  let next = sent;
  for (const action of actions) {
    if (action.kind === "turns") await rig.turns(action.count);
    if (action.kind === "pauseUs") rig.nowUs += action.count;
    if (action.kind === "type") rig.command(type(action.text));
    if (action.kind === "command") rig.command(action.command);
    if (action.kind === "send") {
      const first = Math.max(0, next - action.again);
      const count = next - first + action.fresh;
      if (count > 0) rig.command(send(first, count));
      next += action.fresh;
    }
  }
  return next;
}

/** Requests that the guest has answered more than once. */
function duplicates(rig: Rig): (string | null)[] {
  const asked = rig.sent.flatMap((frame) => (frame.kind === "sent" ? [frame.request] : []));
  return asked.filter((request, i) => request !== null && asked.indexOf(request) !== i);
}

test("whatever happens to the recorder, a replayer gets its outputs, times and state", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyAction, { minLength: 5, maxLength: 40 }), async (actions) => {
      const primary = recorder();
      await perform(primary, actions);
      await pause(primary);
      const backup = await replayed(primary.batches);
      expect(backup.of("diverged")).toEqual([]);
      expect(backup.printed).toEqual(primary.printed);
      expect(backup.sent).toEqual(primary.sent);
      expect(backup.machine?.wholeFingerprint()).toBe(primary.machine?.wholeFingerprint());
    }),
    { numRuns: 60 },
  );
});

test("wherever the log ends, the next life goes on so that a third runner can replay both", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyAction, { minLength: 3, maxLength: 20 }),
      fc.array(anyAction, { minLength: 3, maxLength: 20 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      async (first, second, share) => {
        const primary = recorder();
        const sent = await perform(primary, first);
        await pause(primary);
        const known = primary.batches.slice(0, Math.ceil(share * primary.batches.length));
        const backup = new Rig(new SimulatedMachine());
        const inputs = known.some(({ count }) => count > 0) ? [] : [start];
        backup.command(...replay(known), { kind: "record", inputs });
        await backup.until("live");
        // The gateway sends all of them again: nobody told it what is in the log.
        if (sent > 0) backup.command(send(0, sent));
        await perform(backup, second, sent);
        await pause(backup);
        const third = await replayed([...known, ...backup.batches]);
        expect(third.of("diverged")).toEqual([]);
        expect(third.machine?.wholeFingerprint()).toBe(backup.machine?.wholeFingerprint());
        expect(duplicates(third)).toEqual([]);
      },
    ),
    { numRuns: 60 },
  );
});
