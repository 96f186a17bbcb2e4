/** What the pair makes of peers with another key, and of connections that never said hello. */
import { expect, test } from "@jest/globals";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import { initialState, step } from "./pair.ts";
import { pairBounds } from "./pair-bounds.ts";
import { pairTimings } from "./pair-timings.ts";
import type { PairInput, PairState } from "./pair-types.ts";

const config = {
  ...{ vm: "vm1", nonce: "me", fingerprint: {}, restartEpoch: null, leaveWaitMs: 0 },
  ...{ bounds: pairBounds, timings: pairTimings },
};
const alone = { vm: "vm1", epoch: 1, primary: "me", backup: null, takeovers: 0 };
const message = "the arbiter has another key";

test("a runner that has executed nothing ends when its key is not known", () => {
  const { state, effects } = step(candidate(), { kind: "wrongKey", message }, 1);
  expect(state.role).toEqual({ kind: "stopped", reason: "refused", message });
  expect(effects).toEqual([{ kind: "exit", reason: "refused", message }]);
});

test("a primary goes on, whoever does not know its key", () => {
  expect(step(primary(), { kind: "wrongKey", message }, 1).state.role.kind).toBe("primary");
});

const strange: readonly ChannelMessage[] = [
  { kind: "ack", received: 3, executed: 2, executedUs: 1 },
  { kind: "welcome", nonce: "she", life: 1, next: 0 },
  { kind: "batch", batch: { first: 0, count: 1, timeUs: 1, bytes: new Uint8Array(3) } },
  { kind: "bye", reason: "stopping", message: "" },
];

test.each(strange)("a $kind on a connection without a hello is dropped and counted", (said) => {
  for (const state of [candidate(), primary()]) {
    const input: PairInput = { kind: "message", link: 9, message: said };
    const { effects } = step(state, input, 1);
    expect(effects).toContainEqual({ kind: "hangUp", link: 9 });
    const report = { kind: "badMessage", message: `${said.kind} from a stranger` };
    expect(effects).toContainEqual({ kind: "report", report });
  }
});

function candidate(): PairState {
  return initialState(config, 0);
}

function primary(): PairState {
  const { state } = step(candidate(), { kind: "recordRead", record: alone }, 0);
  expect(state.role.kind).toBe("primary");
  return state;
}
