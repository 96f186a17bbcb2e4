import { expect, test } from "@jest/globals";
import { bugs } from "../bugs/bugs.ts";
import { type Command, OptionError, parseCommand, seedMax } from "./options.ts";

const parse = (...args: string[]): Command => parseCommand(args, 6);
const seeds = {
  kind: "seeds",
  first: 1,
  last: 1000,
  shape: "full",
  minutes: null,
  workers: 6,
  json: false,
  bug: null,
} as const;

test.each<[string[], Partial<Command>]>([
  [[], seeds],
  [["--seeds", "7..7", "--json"], { ...seeds, first: 7, last: 7, json: true }],
  [["--minutes", "0.5"], { ...seeds, last: seedMax, minutes: 0.5 }],
  [["--minutes", "4", "--seeds", "2..9"], { ...seeds, first: 2, last: 9, minutes: 4 }],
  [["--workers", "2", "--shape", "short"], { ...seeds, workers: 2, shape: "short" }],
  [["--bug", "an output leaves one entry early"], { kind: "seeds", bug: bugs[0] ?? null }],
  [["--bugs", "--workers", "3"], { kind: "bugs", workers: 3, json: false }],
  [["--seed", "12", "--trace"], { kind: "seed", seed: 12, trace: true, shrunk: false }],
  [["--seed", "0", "--shrunk", "--json"], { kind: "seed", seed: 0, shrunk: true, json: true }],
  [["--help"], { kind: "help" }],
])("%j is understood", (args, expected) => {
  expect(parse(...args)).toMatchObject(expected);
});

test.each([
  [["--seeds", "5..1"], '--seeds is "5..1", which ends before it begins; give 1..5'],
  [["--seeds", "1-5"], '--seeds is "1-5"; give two numbers up to 4294967295, such as 1..1000'],
  [["--seeds", "1..5000000000"], "give two numbers up to 4294967295"],
  [["--seed", "x"], '--seed is "x"; give a whole number from 0 to 4294967295'],
  [["--workers", "0"], '--workers is "0"; give a whole number from 1 to 256'],
  [["--minutes", "-1"], "minutes"],
  [["--minutes", "0"], '--minutes is "0"; give a number above 0, such as 4 or 0.5'],
  [["--shape", "long"], '--shape is "long"; give "full" or "short"'],
  [["--bug", "none"], 'there is no deliberate bug "none"; docs/simulator.md lists them'],
  [["--trace"], "--trace is about one seed; say which with --seed N"],
  [["--shrunk", "--seeds", "1..2"], "--shrunk is about one seed; say which with --seed N"],
  [["--seed", "1", "--trace", "--json"], "--json and --trace both want standard output"],
  [["--seed", "1", "--minutes", "2"], "--minutes means nothing together with --seed"],
  [["--bugs", "--seeds", "1..2"], "--seeds means nothing together with --bugs"],
  [["--sede", "1"], "Unknown option '--sede'; --help lists the options"],
  [["12"], "--help lists the options"],
])("%j is refused in one clear sentence", (args, sentence) => {
  const refused = () => parse(...args);
  expect(refused).toThrow(sentence);
  expect(refused).toThrow(OptionError);
});
