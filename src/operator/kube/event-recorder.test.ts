import { beforeEach, expect, test } from "@jest/globals";
import { pino } from "pino";
import { machine } from "../../../test/operator/observations.ts";
import { OperatorMetrics } from "../metrics/operator-metrics.ts";
import { EventRecorder } from "./event-recorder.ts";
import { type ApiErrorCode, KubernetesApiError } from "./kubernetes-api-error.ts";

interface Sent {
  readonly method: string;
  readonly path: string;
  readonly body?: { metadata?: { name: string }; note?: string; series?: { count: number } };
}

const vm = machine();
let nowMs: number;
let sent: Sent[];
/** What the next request fails with. */
let failure: ApiErrorCode | null;
let recorder: EventRecorder;

beforeEach(() => {
  nowMs = 0;
  sent = [];
  failure = null;
  const send = async <Answer>(request: Sent): Promise<Answer> => {
    sent.push(request);
    if (failure === null) return JSON.parse("{}");
    const code = failure;
    failure = null;
    throw new KubernetesApiError(code, 0, code);
  };
  recorder = new EventRecorder({
    ...{ api: { send }, metrics: new OperatorMetrics(), log: pino({ level: "silent" }) },
    ...{ self: "operator_1", nowMs: () => nowMs },
  });
});

async function tell(message = "It runs."): Promise<string> {
  nowMs += 61_000;
  recorder.tell(vm, { type: "Normal", reason: "GuestRuns", message });
  await recorder.flush();
  return sent.at(-1)?.method ?? "";
}

test("the same event again is counted in the one that was told", async () => {
  expect([await tell(), await tell(), await tell("It stops.")]).toEqual(["POST", "PATCH", "POST"]);
  expect(sent[1]?.path).toMatch(/\/events\/web\.[0-9a-f]{16}$/);
  expect(sent[1]?.body?.series?.count).toBe(2);
});

test("an event that was not taken is told anew, not counted in what is not there", async () => {
  failure = "unavailable";
  expect([await tell(), await tell(), await tell()]).toEqual(["POST", "POST", "PATCH"]);
  expect(sent[2]?.path).toBe(`${sent[1]?.path}/${sent[1]?.body?.metadata?.name}`);
});

test("an event that was collected meanwhile is told anew; one that may be there is not", async () => {
  await tell();
  failure = "not found";
  expect([await tell(), await tell(), await tell()]).toEqual(["PATCH", "POST", "PATCH"]);
  failure = "unavailable";
  expect([await tell(), await tell()]).toEqual(["PATCH", "PATCH"]);
});

test.each([
  ["of one byte", "x", 1024],
  ["of two bytes after one of one", "x", 1023, "é"],
  ["of three bytes", "€", 341],
  ["of four bytes", "😀", 256],
])(
  "a note has as many whole characters as the API server takes: %s",
  async (_, character, count, more = character) => {
    await tell(character.repeat(count) + more.repeat(100));
    expect(sent[0]?.body?.note).toBe(character.repeat(count));
  },
);
