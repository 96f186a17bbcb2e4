import { expect, test } from "@jest/globals";
import { DetectionChecker } from "./detection.ts";
import { audit } from "./hand-written-history.ts";

const timings = { heartbeatIntervalMs: 100, failureTimeoutMs: 400, lagTargetMs: 20 };

test.each<[string, number | null, boolean]>([
  ["no heartbeat for 401 ms", 401, true],
  ["no heartbeat for 401 ms", 399, false],
  ["connection closed and no heartbeat since", 200, true],
  ["connection closed and no heartbeat since", 199, false],
  ["connection closed and refused", 3, true],
  ["no heartbeat for 401 ms", null, true],
])("'%s' after a silence of %j ms is right: %j", (reason, silentMs, isRight) => {
  const suspected = { kind: "suspected", process: "b1", reason, silentMs } as const;
  const watch = () => audit(new DetectionChecker(timings), [suspected], {});
  if (isRight) expect(watch).not.toThrow();
  else expect(watch).toThrow(`b1 counts the other half as lost ("${reason}") after`);
});
