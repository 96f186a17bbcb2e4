import { expect, test } from "@jest/globals";
import type { Happening, SimEvent } from "../events.ts";
import type { Checker, Outcome } from "./checker.ts";
import { audit, ended, granted, lived, printed, record, typed } from "./hand-written-history.ts";
import { LivesChecker } from "./lives.ts";

/** Writes down what it is told. */
class Listener implements Checker {
  readonly heard: string[] = [];

  observe(event: SimEvent): void {
    const who = "process" in event ? event.process : "writer" in event ? `${event.writer}` : "-";
    this.heard.push(`${event.kind} ${event.kind === "granted" ? event.record.epoch : who}`);
  }

  finish({ ending, record: { epoch } }: Outcome): void {
    this.heard.push(`${ending} at epoch ${epoch}`);
  }
}

function listen(happenings: readonly Happening[]): string[][] {
  const listeners: Listener[] = [];
  const lives = new LivesChecker(() => {
    const listener = new Listener();
    listeners.push(listener);
    return [listener];
  });
  audit(lives, happenings, { record: record(5, "c1") });
  return listeners.map(({ heard }) => heard);
}

const joined = (process: string, life: number): Happening => ({ kind: "joined", process, life });
const follows = (writer: number, life: number): Happening => ({ kind: "follows", writer, life });
const gateway: Happening = { kind: "gatewayStarted", process: "gw1", gateway: 1 };

const twoLives: readonly Happening[] = [
  granted(0, null),
  gateway,
  typed(1, 0, "early"),
  granted(1, "a1"),
  joined("a1", 1),
  lived("a1", 1, 0),
  follows(1, 1),
  granted(2, "a1", "b1"),
  granted(3, "b1"),
  ended("a1", null),
  ended("b1", null),
  granted(4, "c1"),
  joined("c1", 4),
  lived("c1", 4, 0),
  typed(1, 5, "to the old one"),
  follows(1, 4),
  typed(1, 0, "to the new one"),
  printed("a1", 2, 1, 0, "late"),
  granted(5, "c1"),
];

test("each life is judged by itself: by its own processes, and by what its readers typed to it", () => {
  const [first, second] = listen(twoLives);
  expect(first).toEqual([
    ...["granted 0", "gatewayStarted gw1", "granted 1", "lived a1", "typed 1", "granted 2"],
    ...["granted 3", "ended a1", "typed 1", "released a1", "lost at epoch 3"],
  ]);
  expect(second).toEqual([
    ...["granted 0", "gatewayStarted gw1", "granted 1", "granted 2", "granted 3", "granted 4"],
    ...["lived c1", "typed 1", "granted 5", "goes on at epoch 5"],
  ]);
});
