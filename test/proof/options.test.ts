/** The proof's options. */
import { expect, test } from "@jest/globals";
import { OptionError, parseOptions, planFailures } from "./options.ts";

const all = {
  clients: ["ssh", "http", "redis"],
  kills: 20,
  freezes: 5,
  quietMs: 1000,
  json: false,
};

test.each([
  [[], all],
  [["all"], all],
  [["http", "--kills", "3", "--freezes", "0"], { ...all, clients: ["http"], kills: 3, freezes: 0 }],
  [["--seconds", "7", "--json"], { ...all, quietMs: 7000, json: true }],
  [["--help"], null],
])("%j is understood", (args, options) => {
  expect(parseOptions(args)).toEqual(options);
});

test.each([
  [["ftp"], /there is no proof "ftp"/],
  [["ssh", "http"], /there is no proof "ssh http"/],
  [["--kills", "many"], /--kills is "many"; give a number from 0 to 9999/],
  [["--kills", "0", "--freezes", "0"], /nothing is proven/],
  [["--fast"], /--fast/],
])("%j is refused with the reason", (args, message) => {
  expect(() => parseOptions(args)).toThrow(OptionError);
  expect(() => parseOptions(args)).toThrow(message);
});

test.each([
  [20, 5],
  [1, 1],
  [0, 2],
  [3, 0],
])("%d kills and %d freezes are all planned", (kills, freezes) => {
  const plan = planFailures({ ...all, clients: [], kills, freezes });
  expect(plan.filter((kind) => kind === "killed")).toHaveLength(kills);
  expect(plan.filter((kind) => kind === "frozen")).toHaveLength(freezes);
});
