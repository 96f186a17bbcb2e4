/** Deliberate bugs in how a VM begins to live anew, and in the timings that its user chose. */
import type { Bug } from "./bugs.ts";

const failover = "src/vm-runner/failover";
const operator = "test/simulation/world/operator.ts";
const permission =
  "if (restartEpoch === null || view.known === null || role.brokenOff > 0) return false;";
const atItsEpoch = "return view.known.epoch === restartEpoch && view.known.backup !== nonce;";
const askedEpoch = "const { restartEpoch: epoch } = state.config;";

export const restartBugs: readonly Bug[] = [
  {
    name: "a permission to restart is used again at a later epoch",
    why: "the operator has proof about those whom one record names, and about no other",
    edits: [
      {
        file: `${failover}/candidate.ts`,
        find: atItsEpoch,
        replace: "return view.known.epoch >= restartEpoch && view.known.backup !== nonce;",
      },
      {
        file: `${failover}/candidate.ts`,
        find: askedEpoch,
        replace: "const epoch = known?.epoch ?? null;",
      },
    ],
    caughtBy: ["single life"],
    seedsMax: 200,
  },
  {
    name: "a candidate restarts the VM without permission",
    why: "nobody but the operator knows that both halves are gone",
    edits: [
      {
        file: `${failover}/candidate.ts`,
        find: permission,
        replace: "if (view.known === null || view.known.epoch === 0) return false;",
      },
      { file: `${failover}/candidate.ts`, find: atItsEpoch, replace: "return true;" },
      {
        file: `${failover}/candidate.ts`,
        find: askedEpoch,
        replace: "const epoch = known?.epoch ?? null;",
      },
    ],
    caughtBy: ["single life"],
    seedsMax: 50,
  },
  {
    name: "a restarted life begins before it is granted",
    why: "of two runners that may restart the VM one does",
    edits: [
      {
        file: `${failover}/candidate.ts`,
        find: askedEpoch,
        replace: `${askedEpoch}\n    turn.effects.push({ kind: "recordFirstLife" });`,
      },
    ],
    caughtBy: ["single life", "fail-stop"],
    seedsMax: 200,
  },
  {
    name: "a restart is granted at a stale epoch",
    why: "a take-over that lands first has brought the VM back",
    edits: [
      {
        file: "src/storage-arbiter/record/transition.ts",
        find: 'if (record.epoch > request.epoch) return "stale epoch";',
        replace:
          'if (record.epoch > request.epoch && request.kind !== "restart") return "stale epoch";',
      },
    ],
    caughtBy: ["linearizable record", "single life"],
    seedsMax: 1000,
  },
  {
    name: "the operator takes silence for proof",
    why: "a runner that does not answer may live",
    edits: [
      {
        file: operator,
        find: "if (runner === null || runner.alive) return false;\n    const goneMs",
        replace:
          "if (runner === null || (runner.alive && !runner.standsStill)) return false;\n    const goneMs",
      },
    ],
    caughtBy: ["single life"],
    seedsMax: 1000,
  },
  {
    name: "a restarted life goes by the name of the one before",
    why: "nothing of one life goes on in another",
    edits: [
      {
        file: `${failover}/roles.ts`,
        find: 'const life = how.kind === "firstLife" ? state.view.known?.epoch : state.life;',
        replace: 'const life = how.kind === "firstLife" ? 1 : state.life;',
      },
    ],
    caughtBy: ["consistency after failover", "output rule", "replay", "progress"],
    seedsMax: 200,
  },
  {
    name: "a reader takes a new life's console for the one it knew",
    why: "a reader who comes back after a restart sees the console from its first byte on",
    edits: [
      {
        file: "src/cli/console/console-session.ts",
        find: "if (this.#life !== null && life !== this.#life) {",
        replace: "if (this.#life !== null && life < this.#life) {",
      },
    ],
    caughtBy: ["consistency after failover", "progress"],
    seedsMax: 500,
  },
  {
    name: "the default time-out counts, whatever was chosen",
    why: "how long a half may be silent is the user's choice",
    edits: [
      {
        file: `${failover}/failure-detector.ts`,
        find: "const { failureTimeoutMs } = timings;",
        replace: "const failureTimeoutMs = 500;",
      },
    ],
    caughtBy: ["detection"],
    seedsMax: 500,
  },
];
