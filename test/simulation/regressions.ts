/**
 * Bugs of the cores that the simulator once found, each as the smallest scenario that shows it: data,
 * so that it stays what it was when `draw.ts` draws otherwise. The bug itself lives on as a
 * deliberate one (bugs/): the scenario fails with it, and runs without a violation since it was
 * put right.
 */

import type { Scenario } from "./scenario.ts";
import { plainScenario } from "./scenario.ts";

export interface Regression {
  /** What went wrong, and what put it right. */
  readonly what: string;
  /** The deliberate bug that brings it back. */
  readonly bug: string;
  readonly scenario: Scenario;
}

const drawnWell = { ...plainScenario, patientDeath: true, clients: 1 } as const;
const network = { ...plainScenario.network, latencyMs: 1 };
const lease = { kind: "lease", arbiters: 1, delayMs: 1, lossShare: 0 } as const;
const slowGuest = { memoryBytes: 32_768, timerUs: 20_000, burstBytes: 256, timersPerFrames: 0 };
const threeReadersPaste: Scenario = {
  ...{ ...drawnWell, seed: 5, network, store: lease, guest: slowGuest, faultyMs: 287 },
  faults: [{ kind: "paste", bytes: 7_435, clients: 3, atMs: 286.3425160714097 }],
};

export const regressions: readonly Regression[] = [
  {
    what: "of three readers who pasted, bytes were dropped and what came after them was taken: nothing is taken after a gap",
    bug: "input is taken after a gap",
    scenario: threeReadersPaste,
  },
  {
    what: "a reader whose pasted bytes were dropped waited for ever: each writer has a bound of its own, and types again what is not accepted",
    bug: "what is refused is typed again only after a reconnect",
    scenario: threeReadersPaste,
  },
  {
    what: "while the I/O thread stood still the recorder ran on, and the log grew beyond its bound: the recorder is told in advance how far it may go",
    bug: "the recorder runs ahead while the I/O stands still",
    scenario: {
      ...{ ...threeReadersPaste, faultyMs: 420 },
      faults: [
        { kind: "stall", node: "backup", forMs: 1_240.1, atMs: 270.35920874681324 },
        ...threeReadersPaste.faults,
      ],
    },
  },
  {
    what: "a new primary whose first look at the record got no answer was taken for dead by the one that had handed over, which then switched the VM off: the first look may take its time, and who leaves waits for the other half",
    bug: "the old primary of a hand-over takes the first silence for death",
    scenario: {
      ...{ ...drawnWell, seed: 64, nodes: ["a", "b", "c"], network, clients: 0 },
      store: {
        kind: "file",
        arbiters: 1,
        delayMs: 6.371103280918854,
        lossShare: 0.2167551275342703,
      },
      guest: { memoryBytes: 32_768, timerUs: 2_000, burstBytes: 12_288, timersPerFrames: 0 },
      faultyMs: 1_394.8834466282278,
      faults: [
        {
          ...{ kind: "crash", node: "c", silent: false, restartMs: 217.87599387206342 },
          atMs: 903.172994411329,
        },
        {
          ...{ kind: "terminate", node: "primary", restartMs: 10.228366119524145 },
          atMs: 916.2709645198306,
        },
      ],
    },
  },
];
