import { expect, test } from "@jest/globals";
import { arbiterTimeoutMs } from "../../../src/shared/limits.ts";
import type { VmRecord } from "../../../src/shared/protocol/record.ts";
import type { RunnerRequest } from "../../../src/vm-runner/failover/record-view.ts";
import { LinearizableRecord } from "../checkers/linearizable-record.ts";
import type { Happening } from "../events.ts";
import type { StoreShape } from "../scenario.ts";
import { Agenda } from "../world/clock.ts";
import { below, pick, type Random, randomOf } from "../world/random.ts";
import { Arbiters } from "./arbiter.ts";
import type { RecordAnswer } from "./record-call.ts";

const vm = "vm-1";
const file: StoreShape = { kind: "file", arbiters: 2, delayMs: 2, lossShare: 0 };
const lease: StoreShape = { ...file, kind: "lease" };
const kinds = [
  ["two arbiters over a disk", file],
  ["a Lease", lease],
] as const;
const start: RunnerRequest = { kind: "start", vm, runner: "a", epoch: 0 };
const alone: VmRecord = { vm, epoch: 1, primary: "a", backup: null, takeovers: 0 };
const granted: RecordAnswer = {
  kind: "answer",
  request: start,
  outcome: { kind: "granted", record: alone },
};

test.each(kinds)("%s: a request is granted, and its record can be read", (_, shape) => {
  const small = new SmallWorld(shape);
  expect(small.asked(start)).toEqual(granted);
  expect(small.arbiters.current()).toEqual(alone);
  expect(small.read()).toEqual({ kind: "recordRead", record: alone });
  expect(small.told("granted")).toHaveLength(2);
});

const noAnswer: RecordAnswer = { kind: "noAnswer" };
const troubles = [
  ["request lost", noAnswer, 0],
  ["answer lost", noAnswer, 1],
  ["late", noAnswer, 0],
  ["twice", granted, 1],
] as const;
test.each(kinds.flatMap(([name, shape]) => troubles.map((t) => [name, ...t, shape] as const)))(
  "%s: a request's trouble is %s",
  (_, fate, answer, epoch, shape) => {
    const small = new SmallWorld(shape);
    let struck = 0;
    small.arbiters.trouble(fate, () => struck++);
    expect(small.asked(start)).toEqual(answer);
    expect({ struck, epoch: small.arbiters.current().epoch }).toEqual({ struck: 1, epoch });
    // What was late lands now.
    small.run(2 * arbiterTimeoutMs);
    expect(small.arbiters.current().epoch).toBe(fate === "request lost" ? 0 : 1);
    expect(small.asked(start)).toEqual(granted);
  },
);

test.each(kinds)("%s: nothing is heard over a partition, one way or the other", (_, shape) => {
  const small = new SmallWorld(shape);
  small.cut.add("a>arbiter");
  expect(small.asked(start)).toEqual({ kind: "noAnswer" });
  expect(small.read()).toEqual({ kind: "recordUnreadable" });
  expect(small.arbiters.current().epoch).toBe(0);
  small.cut.clear();
  small.cut.add("arbiter>a");
  expect(small.read()).toEqual({ kind: "recordUnreadable" });
  small.cut.clear();
  expect(small.asked(start)).toEqual(granted);
});

test.each(kinds)("%s: what is down answers again when it is up", (_, shape) => {
  const small = new SmallWorld(shape);
  small.arbiters.down(0, 3_000);
  small.arbiters.down(1, 3_000);
  expect(small.asked(start)).toEqual({ kind: "noAnswer" });
  small.run(3_000);
  expect(small.asked(start)).toEqual(granted);
});

test.each(kinds)("%s: a slow one answers later", (_, shape) => {
  const small = new SmallWorld(shape);
  small.arbiters.slow(0, 50, 10_000);
  small.arbiters.slow(1, 50, 10_000);
  const beforeMs = small.agenda.nowMs;
  small.asked(start);
  expect(small.agenda.nowMs - beforeMs).toBeGreaterThan(100);
});

test.each(kinds)("%s: a process that stands still is told when it goes on", (_, shape) => {
  const small = new SmallWorld(shape);
  const heard: RecordAnswer[] = [];
  small.frozen = true;
  small.arbiters.ask("a", "a", start, (answer) => heard.push(answer));
  small.run(5_000);
  expect(heard).toEqual([]);
  small.thaw();
  small.run(5_000);
  expect(heard).toHaveLength(1);
});

const missing: RecordAnswer = {
  kind: "answer",
  request: start,
  outcome: { kind: "refused", reason: "missing record", record: null },
};
test.each(kinds)("%s: a record that was deleted refuses everything, for good", (_, shape) => {
  const small = new SmallWorld(shape);
  expect(small.asked(start)).toEqual(granted);
  small.vanish();
  expect(small.read()).toEqual({ kind: "recordRead", record: null });
  expect(small.asked(start)).toEqual(missing);
  for (const arbiter of [0, 1]) small.arbiters.down(arbiter, 100);
  small.run(1_000);
  expect(small.asked(start)).toEqual(missing);
  expect(small.arbiters.current()).toEqual(alone);
});

test.each(kinds)(
  "%s: a late request finds the record deleted, and lands on nothing",
  (_, shape) => {
    const small = new SmallWorld(shape);
    small.arbiters.trouble("late", () => undefined);
    expect(small.asked(start)).toEqual(noAnswer);
    small.vanish();
    small.run(2 * arbiterTimeoutMs);
    expect(small.told("granted")).toHaveLength(1);
    expect(small.asked(start)).toEqual(missing);
  },
);

test("a Lease that somebody else writes is read and written again", () => {
  const small = new SmallWorld(lease);
  let struck = 0;
  small.arbiters.conflict(3, () => struck++);
  expect(small.asked(start)).toEqual(granted);
  expect(struck).toBe(1);
});

test("a Lease that somebody else writes all the time leaves the request open", () => {
  const small = new SmallWorld(lease);
  small.arbiters.conflict(1_000, () => undefined);
  expect(small.asked(start)).toEqual({ kind: "noAnswer" });
  expect(small.arbiters.current().epoch).toBe(0);
});

test("an arbiter that loses power at any operation keeps what it told", () => {
  const found = new Set<string>();
  for (let seed = 1; seed <= 40; seed++) {
    for (let nth = 1; nth <= 12; nth++) {
      const small = new SmallWorld({ ...file, arbiters: 1 }, seed);
      small.arbiters.crashAt(0, nth, 500, () => found.add(`crashed at ${nth}`));
      const answer = small.asked(start);
      if (answer.kind === "noAnswer") found.add(`epoch ${small.arbiters.current().epoch}`);
      else expect(answer).toEqual(granted);
      small.read();
      small.run(2_000);
      small.arbiters.calm();
      expect(small.asked(start)).toEqual(granted);
      expect(small.read()).toEqual({ kind: "recordRead", record: alone });
    }
  }
  expect([...found]).toEqual(expect.arrayContaining(["epoch 0", "epoch 1", "crashed at 5"]));
});

const shapes: readonly [string, StoreShape][] = [
  ["one arbiter", { ...file, arbiters: 1, lossShare: 0.1 }],
  ["two arbiters", { ...file, lossShare: 0.1 }],
  ["a Lease", { ...lease, lossShare: 0.1 }],
];
test.each(shapes)("%s under every fault is linearizable", (_, shape) => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= 60; seed++) {
    for (const { kind } of badDay(shape, seed)) seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
  expect(seen.get("granted")).toBeGreaterThan(1_000);
  expect(seen.get("fault")).toBeGreaterThan(500);
});

test.each(shapes)("%s whose record is deleted in the middle grants nothing more", (_, shape) => {
  for (let seed = 1; seed <= 30; seed++) {
    const happenings = badDay(shape, seed, 3_000 + 100 * seed);
    const goneAt = happenings.findIndex(
      (happening) => happening.kind === "fault" && happening.fault.kind === "record gone",
    );
    const kindsAfter = happenings.slice(goneAt).map(({ kind }) => kind);
    expect(kindsAfter.filter((kind) => kind === "answered").length).toBeGreaterThan(10);
    expect(kindsAfter).not.toContain("granted");
  }
});

test.each(shapes)("%s: equal seeds make equal days", (_, shape) => {
  expect(badDay(shape, 7)).toEqual(badDay(shape, 7));
  expect(badDay(shape, 7)).not.toEqual(badDay(shape, 8));
});

/**
 * Ten seconds in which four runners ask for all they can, and everything goes wrong. `goneMs`: when
 * the record is deleted.
 */
function badDay(shape: StoreShape, seed: number, goneMs?: number): readonly Happening[] {
  const small = new SmallWorld(shape, seed);
  const random = randomOf(seed, "day");
  for (const node of ["a", "b", "c", "d"]) askForever(small, node, random);
  strikeForever(small, random);
  if (goneMs !== undefined) small.agenda.after(goneMs, () => small.vanish());
  small.run(10_000);
  small.cut.clear();
  small.arbiters.calm();
  small.thaw();
  small.run(3_000);
  small.finish();
  return small.happenings;
}

function askForever(small: SmallWorld, node: string, random: Random): void {
  let known: VmRecord | null = null;
  const next = (answer: RecordAnswer) => {
    if (answer.kind === "recordRead") known = answer.record ?? known;
    if (answer.kind === "answer") known = answer.outcome.record ?? known;
    small.agenda.after(10 * random(), act);
  };
  const act = () => {
    if (known === null || random() < 0.2) small.arbiters.read(node, node, next);
    else small.arbiters.ask(node, node, requestFrom(known, node, random), next);
  };
  act();
}

/**
 * Often what the record allows. As runners do, it asks as the primary only at an epoch that it
 * knows to be its own: the record counts on that when a request is repeated.
 */
function requestFrom(known: VmRecord, runner: string, random: Random): RunnerRequest {
  const { epoch } = known;
  if (epoch === 0) return { kind: "start", vm, runner, epoch };
  if (known.primary === runner) {
    const backup = pick(random, ["a", "b", "c", "d"]);
    if (random() < 0.5) return { kind: "pair", vm, runner, backup, epoch };
    return { kind: pick(random, ["alone", "handover"]), vm, runner, epoch };
  }
  return { kind: "takeover", vm, runner, epoch };
}

function strikeForever(small: SmallWorld, random: Random): void {
  const { arbiters, agenda } = small;
  const struck = () => {
    const fault = { kind: "lease conflict", times: 1, atMs: 0 } as const;
    small.emit({ kind: "fault", fault });
  };
  const faults: (() => void)[] = [
    () => arbiters.down(below(random, 2), 300 * random()),
    () => arbiters.crashAt(below(random, 2), 1 + below(random, 12), 100 * random(), struck),
    () => arbiters.slow(below(random, 2), 20 * random(), 300 * random()),
    () => arbiters.trouble(pick(random, ["request lost", "answer lost", "late", "twice"]), struck),
    () => arbiters.conflict(1 + below(random, 10), struck),
    () => small.cut.add(pick(random, ["a>arbiter", "arbiter>a", "b>arbiter", "arbiter>b"])),
    () => small.cut.clear(),
    () => {
      small.frozen = true;
    },
    () => small.thaw(),
  ];
  const strike = () => {
    pick(random, faults)();
    agenda.after(200 * random(), strike);
  };
  strike();
}

/** Time, a network that can be cut, processes that can be frozen, and the record's checker. */
class SmallWorld {
  readonly agenda = new Agenda();
  readonly cut = new Set<string>();
  readonly happenings: Happening[] = [];
  readonly arbiters: Arbiters;
  /** Process "a" stands still. */
  frozen = false;
  readonly random: Random;
  readonly #checker = new LinearizableRecord();
  #waiting: (() => void)[] = [];

  constructor(shape: StoreShape, seed = 1) {
    this.random = randomOf(seed, "record");
    this.arbiters = new Arbiters(this, shape, vm);
    this.arbiters.create();
  }

  after(ms: number, run: () => void): void {
    this.agenda.after(ms, run);
  }

  reachable(from: string, to: string): boolean {
    return !this.cut.has(`${from}>${to}`);
  }

  emit(happening: Happening): void {
    this.happenings.push(happening);
    this.#checker.observe({ atMs: this.agenda.nowMs, ...happening });
  }

  vanish(): void {
    this.emit({ kind: "fault", fault: { kind: "record gone", atMs: this.agenda.nowMs } });
    this.arbiters.vanish();
  }

  inProcess(process: string, run: () => void): void {
    if (this.frozen && process === "a") this.#waiting.push(run);
    else run();
  }

  thaw(): void {
    this.frozen = false;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run();
  }

  /** What process "a" is told. */
  asked(request: RunnerRequest): RecordAnswer {
    return this.#answerTo((answer) => this.arbiters.ask("a", "a", request, answer));
  }

  read(): RecordAnswer {
    return this.#answerTo((answer) => this.arbiters.read("a", "a", answer));
  }

  run(ms: number): void {
    const endMs = this.agenda.nowMs + ms;
    while (this.agenda.nextMs < endMs) this.#next();
    this.agenda.nowMs = endMs;
  }

  finish(): void {
    const record = this.arbiters.current();
    this.#checker.finish({ ending: "goes on", record, alive: [], describe: () => "" });
  }

  told(kind: Happening["kind"]): readonly Happening[] {
    return this.happenings.filter((happening) => happening.kind === kind);
  }

  #next(): void {
    if (this.agenda.next() !== null) throw new Error("nobody here makes promises");
  }

  #answerTo(ask: (answer: (given: RecordAnswer) => void) => void): RecordAnswer {
    let given: RecordAnswer | null = null;
    ask((answer) => {
      given = answer;
    });
    while (given === null) this.#next();
    return given;
  }
}
