import { expect, test } from "@jest/globals";
import type { RefusalReason, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";
import type { Answer, Happening } from "../events.ts";
import { Violation } from "./checker.ts";
import { LinearizableRecord } from "./linearizable-record.ts";

const vm = "vm-1";
const fresh: VmRecord = { vm, epoch: 0, primary: null, backup: null, takeovers: 0 };
const alone: VmRecord = { ...fresh, epoch: 1, primary: "a" };
const paired: VmRecord = { ...alone, epoch: 2, backup: "b" };
const taken: VmRecord = { vm, epoch: 3, primary: "b", backup: null, takeovers: 1 };

const read = { kind: "read" } as const;
const start: RunnerRequest = { kind: "start", vm, runner: "a", epoch: 0 };
const pair: RunnerRequest = { kind: "pair", vm, runner: "a", backup: "b", epoch: 1 };
const takeover: RunnerRequest = { kind: "takeover", vm, runner: "b", epoch: 2 };
const loneliness: RunnerRequest = { kind: "alone", vm, runner: "a", epoch: 2 };
const gone: Happening = { kind: "fault", fault: { kind: "record gone", atMs: 0 } };

/** Up to the pair at epoch 2; calls 1 and 2. */
const untilPaired: readonly Happening[] = [
  granted(fresh),
  asked(1, start),
  granted(alone),
  answered(1, grant(alone)),
  asked(2, pair),
  granted(paired),
  answered(2, grant(paired)),
];

const good: [string, readonly Happening[]][] = [
  ["a take-over", [asked(3, takeover), granted(taken), answered(3, grant(taken))]],
  [
    "a race at one epoch",
    [
      asked(3, loneliness),
      asked(4, takeover),
      granted(taken),
      answered(3, refusal("stale epoch", taken)),
      answered(4, grant(taken)),
    ],
  ],
  [
    "a request whose answer was lost, and that is repeated",
    [
      asked(3, takeover),
      granted(taken),
      answered(3, { kind: "none" }),
      asked(4, takeover),
      answered(4, grant(taken)),
    ],
  ],
  [
    "a request that takes effect long after its asker gave up",
    [asked(3, takeover), answered(3, { kind: "none" }), asked(4, read), granted(taken)],
  ],
  [
    "two readings that overlap a grant, one before it and one after",
    [
      asked(3, takeover),
      asked(4, read),
      asked(5, read),
      granted(taken),
      answered(5, told(taken)),
      answered(4, told(paired)),
    ],
  ],
  ["a request that was never answered", [asked(3, takeover)]],
  [
    "a refusal for the wrong role",
    [asked(3, { ...takeover, runner: "c" }), answered(3, refusal("not the backup", paired))],
  ],
  [
    "a start that came too late",
    [asked(3, { ...start, runner: "c" }), answered(3, refusal("already started", paired))],
  ],
  [
    "a record that was deleted, as all are told from then on",
    [
      asked(3, read),
      asked(4, takeover),
      gone,
      asked(5, loneliness),
      answered(3, told(paired)),
      answered(4, refusal("missing record", null)),
      answered(5, refusal("missing record", null)),
      asked(6, read),
      answered(6, told(null)),
    ],
  ],
];
test.each(good)("%s is in order", (_, history) => {
  expect(judged([...untilPaired, ...history])).toBeNull();
});

test("a reading that was asked before the record was made may find none", () => {
  expect(judged([asked(1, read), granted(fresh), answered(1, told(null))])).toBeNull();
});

const bad: [string, readonly Happening[], RegExp][] = [
  [
    "a stale reading",
    [asked(3, takeover), granted(taken), asked(4, read), answered(4, told(paired))],
    /call 4 \(read\) was told epoch 2: a with b, .* epoch 3 stood before it was asked/,
  ],
  [
    "a record that is told before it is durable",
    [asked(3, takeover), answered(3, grant(taken))],
    /told epoch 3: b alone, 1 take-overs, and durable is only epoch 2/,
  ],
  [
    "two contents of one epoch",
    [asked(3, read), answered(3, told({ ...paired, backup: "c" }))],
    /was told epoch 2: a with c, .* and granted was epoch 2: a with b/,
  ],
  [
    "one epoch granted twice",
    [
      asked(3, takeover),
      asked(4, loneliness),
      granted(taken),
      granted({ ...taken, primary: "a", takeovers: 0 }),
    ],
    /granted twice: epoch 3: b alone, 1 .* and then epoch 3: a alone, 0/,
  ],
  ["an epoch left out", [asked(3, takeover), granted({ ...taken, epoch: 4 })], /epoch 2 stood/],
  ["an older record granted again", [granted(alone)], /granted twice: epoch 1/],
  [
    "a grant that nobody asked for",
    [granted(taken)],
    /nobody had asked for; asked was: nothing at that epoch/,
  ],
  [
    "a grant that was asked for only afterwards",
    [granted(taken), asked(3, takeover)],
    /nobody had asked for/,
  ],
  [
    "a take-over that is not counted",
    [asked(3, takeover), granted({ ...taken, takeovers: 0 })],
    /nobody had asked for; asked was: takeover of b at epoch 2/,
  ],
  [
    "a take-over by somebody who is not the backup",
    [asked(3, { ...takeover, runner: "c" }), granted({ ...taken, primary: "c" })],
    /nobody had asked for/,
  ],
  [
    "a grant to the loser of a race",
    [
      asked(3, loneliness),
      asked(4, takeover),
      granted(taken),
      answered(3, grant(taken)),
      answered(4, grant(taken)),
    ],
    /call 3 \(alone of a at epoch 2\) was granted epoch 3: b alone, 1 .*; right is: granted epoch 3: a alone, 0/,
  ],
  [
    "a refusal by the request's own result",
    [asked(3, takeover), granted(taken), answered(3, refusal("stale epoch", taken))],
    /was refused \(stale epoch\) by its own result/,
  ],
  [
    "a refusal for the wrong reason",
    [asked(3, { ...takeover, runner: "c" }), answered(3, refusal("stale epoch", paired))],
    /was refused \(stale epoch\) by epoch 2: a with b, .*; right is: refused \(not the backup\)/,
  ],
  [
    "a refusal of what should have been granted",
    [asked(3, takeover), answered(3, refusal("not the backup", paired))],
    /right is: granted epoch 3: b alone, 1/,
  ],
  ["a record that is gone", [asked(3, read), answered(3, told(null))], /there is no record/],
  [
    "a record that is gone before somebody deleted it",
    [asked(3, takeover), answered(3, refusal("missing record", null)), gone],
    /call 3 \(takeover of b at epoch 2\) was told that there is no record/,
  ],
  [
    "a VM that is made anew",
    [gone, asked(3, { ...start, runner: "c" }), granted({ ...alone, primary: "c" })],
    /a VM that lived was made anew: granted was epoch 1: c alone, .* epoch 2 was deleted/,
  ],
  [
    "a request that is granted although the record was deleted",
    [asked(3, takeover), gone, granted(taken)],
    /a VM that lived was made anew: granted was epoch 3: b alone/,
  ],
  [
    "a record that is told after it was deleted",
    [gone, asked(3, read), answered(3, told(paired))],
    /call 3 \(read\) was told epoch 2: a with b, .* was deleted before it was asked/,
  ],
  [
    "a wrong reason where there is no record",
    [gone, asked(3, takeover), answered(3, refusal("stale epoch", null))],
    /was refused \(stale epoch\) by no record; right is: refused \(missing record\)/,
  ],
  [
    "a second answer",
    [asked(3, read), answered(3, told(paired)), answered(3, told(paired))],
    /call 3 was answered and not open/,
  ],
  ["an answer to nothing", [answered(9, told(paired))], /call 9 was answered and not open/],
  [
    "an answer of the wrong kind",
    [asked(3, read), answered(3, grant(paired))],
    /call 3 \(read\) was answered with outcome/,
  ],
  [
    "a record of another VM",
    [asked(3, read), answered(3, told({ ...paired, vm: "vm-2" }))],
    /was told epoch 2/,
  ],
];
test.each(bad)("%s is found", (_, history, sentence) => {
  expect(judged([...untilPaired, ...history])).toMatch(sentence);
});

test("a first record that already names somebody is found", () => {
  expect(judged([granted({ ...fresh, primary: "a" })])).toMatch(/the first record was epoch 0: a/);
});

test("a truth at the end that was never granted is found", () => {
  expect(judged(untilPaired, taken)).toMatch(/the run ended with epoch 3: b alone/);
});

function asked(call: number, request: RunnerRequest | { readonly kind: "read" }): Happening {
  return { kind: "asked", call, process: "p", request };
}

function answered(call: number, answer: Answer): Happening {
  return { kind: "answered", call, answer };
}

function granted(record: VmRecord): Happening {
  return { kind: "granted", record };
}

function grant(record: VmRecord): Answer {
  return { kind: "outcome", outcome: { kind: "granted", record } };
}

function refusal(reason: RefusalReason, record: VmRecord | null): Answer {
  return { kind: "outcome", outcome: { kind: "refused", reason, record } };
}

function told(record: VmRecord | null): Answer {
  return { kind: "record", record };
}

/** What the checker says; null: nothing is wrong. */
function judged(history: readonly Happening[], atEnd?: VmRecord): string | null {
  const checker = new LinearizableRecord();
  let record = fresh;
  try {
    history.forEach((happening, atMs) => {
      if (happening.kind === "granted") record = happening.record;
      checker.observe({ atMs, ...happening });
    });
    const last = atEnd ?? record;
    checker.finish({ ending: "goes on", record: last, alive: [], describe: () => "" });
    return null;
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    expect(error.checker).toBe("linearizable record");
    return error.message;
  }
}
