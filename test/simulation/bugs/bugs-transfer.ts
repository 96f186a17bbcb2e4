/** Deliberate bugs in log, replay and state transfer. */
import type { Bug } from "./bugs.ts";

const failover = "src/vm-runner/failover";
const replay = "src/vm-runner/replay";

export const transferBugs: readonly Bug[] = [
  {
    name: "the log that comes during a restore is forgotten",
    why: "a snapshot comes with every entry since",
    edits: [
      {
        file: `${failover}/follower-messages.ts`,
        find: "const waiting = batch.count === 0 ? machine : keepForLater(machine, batch);",
        replace: "const waiting = machine;",
      },
    ],
    caughtBy: ["replay", "fail-stop", "progress"],
    seedsMax: 50,
  },
  {
    name: "the snapshot's own entry is not kept for the new backup",
    why: "the log is kept from the snapshot's entry on",
    edits: [
      {
        file: `${replay}/recorder.ts`,
        find: "if (moved) this.#snapshots.taken(",
        replace: "this.#flush(nowUs);\n    if (moved) this.#snapshots.taken(",
      },
    ],
    caughtBy: ["progress"],
    seedsMax: 50,
  },
  {
    name: "the inputs of the snapshot's entry are delivered twice",
    why: "a restored machine has the inputs of its entry",
    edits: [
      {
        file: `${replay}/execution.ts`,
        find: "this.idle = false;\n    this.delivered = true;",
        replace: "this.idle = false;\n    this.delivered = false;",
      },
    ],
    caughtBy: ["replay", "fail-stop", "progress"],
    seedsMax: 100,
  },
  {
    name: "after a reconnect nothing is sent again, and the gap is accepted",
    why: "the log has no gap",
    edits: [
      {
        file: `${failover}/primary-follower.ts`,
        find: 'for (const batch of missed) turn.send(link, { kind: "batch", batch });',
        replace: "",
      },
      {
        file: `${failover}/follower-messages.ts`,
        find: "if (batch.first !== role.received + 1) {",
        replace: "if (batch.first < role.received + 1) {",
      },
      {
        file: `${failover}/follower-messages.ts`,
        find: "const received = role.received + batch.count;",
        replace: "const received = batch.first + batch.count - 1;",
      },
    ],
    caughtBy: ["replay", "fail-stop", "output rule", "consistency after failover"],
    seedsMax: 300,
  },
  {
    name: "the primary stays in its old instance at a snapshot",
    why: "both sides restore, since an instance that ran on is not equal to a restored one",
    edits: [
      {
        file: "test/simulation/machine/machine.ts",
        find: "this.#load(frozen.slice(), devices);",
        replace: "this.#memory = frozen.slice();\n    this.#state.moved = true;",
      },
    ],
    caughtBy: ["replay"],
    seedsMax: 50,
  },
];
