/** Deliberate bugs in who lives: take-over, go-live, and the end of a runner. */
import type { Bug } from "./bugs.ts";

const failover = "src/vm-runner/failover";

export const lifeBugs: readonly Bug[] = [
  {
    name: "a backup takes over without asking the record",
    why: "only who is named primary lives",
    edits: [
      {
        file: `${failover}/taking-over.ts`,
        find: 'return turn.ask(state, { kind: "takeover", vm, runner: nonce, epoch: known.epoch });',
        replace:
          "const named = { ...known, epoch: known.epoch + 1, primary: nonce, backup: null };\n" +
          "    const view = { known: named, unsettled: [] };\n" +
          '    return becomePrimary({ ...state, view }, { kind: "tookOver", from: role }, turn);',
      },
    ],
    caughtBy: ["single life", "output rule"],
    seedsMax: 50,
  },
  {
    name: "a follower that nobody named takes over",
    why: "only the named backup may ask, and only it is granted",
    edits: [
      {
        file: `${failover}/follower.ts`,
        find: "if (known.backup === nonce) return becomeTakingOver",
        replace: "if (known.primary === role.primary) return becomeTakingOver",
      },
      {
        file: `${failover}/taking-over.ts`,
        find: "if (known?.backup === nonce) {",
        replace: "if (known !== null && known.primary !== null) {",
      },
      {
        file: "src/storage-arbiter/record/transition.ts",
        find: 'return isBackup ? null : "not the backup";',
        replace: "return null;",
      },
    ],
    caughtBy: [
      "single life",
      "consistency after failover",
      "linearizable record",
      "output rule",
      "fail-stop",
    ],
    seedsMax: 1000,
  },
  {
    name: "a backup acknowledges while it takes over",
    why: "who has asked for the record acknowledges nothing any more",
    edits: [
      {
        file: `${failover}/roles.ts`,
        find: "turn.hangUp(follower.link);\n  const { received, poweredOff, leaving } = follower;",
        replace: "const { received, poweredOff, leaving } = follower;",
      },
      {
        file: `${failover}/pair.ts`,
        find: 'return message.kind !== "hello" && linkOf(role) !== link;',
        replace:
          'return message.kind !== "hello" && role.kind !== "takingOver" && linkOf(role) !== link;',
      },
      {
        file: `${failover}/taking-over.ts`,
        find: 'case "wrongKey":\n    case "message":',
        replace:
          'case "message":\n      if (input.message.kind === "batch") {\n' +
          "        const { first, count } = input.message.batch;\n" +
          "        const { received: executed } = role;\n" +
          '        turn.send(input.link, { kind: "ack", received: first + count - 1, executed, executedUs: 0 });\n' +
          '      }\n      return state;\n    case "wrongKey":',
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 1000,
  },
  {
    name: "a new primary does not finish the replay",
    why: "whatever was acknowledged is executed before the new life begins",
    edits: [
      {
        file: "src/vm-runner/replay/executor.ts",
        find: 'if (next !== "drained") return next;\n    if (this.#goLive === null)',
        replace:
          'if (next !== "drained" && (this.#goLive === null || this.#execution.delivered)) return next;\n' +
          "    if (this.#goLive === null)",
      },
    ],
    caughtBy: ["consistency after failover", "output rule", "single life", "replay", "fail-stop"],
    seedsMax: 3000,
  },
  {
    name: "what comes during a suspicion is acknowledged and not executed",
    why: "whatever was acknowledged is executed before the new life begins",
    edits: [
      {
        file: `${failover}/follower-messages.ts`,
        find: 'if (batch.count > 0) turn.command({ kind: "replay", batch });',
        replace:
          'if (batch.count > 0 && role.suspicion === null) turn.command({ kind: "replay", batch });',
      },
    ],
    caughtBy: ["consistency after failover", "replay", "fail-stop", "output rule"],
    seedsMax: 1000,
  },
  {
    name: "a superseded primary goes on",
    why: "a runner that was replaced ends when it learns of it",
    edits: [
      {
        file: `${failover}/primary.ts`,
        find: 'return turn.stop(state, "superseded", message);',
        replace: 'turn.report({ kind: "badMessage", message });\n  return state;',
      },
    ],
    caughtBy: ["progress", "single life", "bounds", "consistency after failover"],
    seedsMax: 300,
  },
  {
    name: "a refused backup asks on for ever",
    why: "a runner that the record does not name stops for good",
    edits: [
      {
        file: `${failover}/taking-over.ts`,
        find: "if (known?.backup === nonce) {",
        replace: "if (known !== null && known.primary !== null) {",
      },
    ],
    caughtBy: ["progress"],
    seedsMax: 3000,
  },
  {
    name: "a backup whose connection breaks throws its log away",
    why: "who has acknowledged takes over if need be",
    edits: [
      {
        file: `${failover}/follower.ts`,
        find: 'if (role.machine.kind !== "standing") return discard(state, role, turn);\n  if (role.leaving !== null)',
        replace:
          "if (role.leaving === null) return discard(state, role, turn);\n  if (role.leaving !== null)",
      },
    ],
    caughtBy: ["progress", "fail-stop", "consistency after failover"],
    seedsMax: 100,
  },
  {
    name: "the old primary of a hand-over takes the first silence for death",
    why: "leaving never costs a VM whose other half lives",
    edits: [
      {
        file: `${failover}/roles.ts`,
        find: "logMs: turn.nowMs + successorGraceMs,",
        replace: "logMs: turn.nowMs,",
      },
      {
        file: `${failover}/roles.ts`,
        find: "Math.max(untilMs, turn.nowMs + successorWaitMs)",
        replace: "untilMs",
      },
    ],
    caughtBy: ["progress"],
    seedsMax: 1000,
  },
  {
    name: "who leaves forgets how long it was to wait once it has had another half",
    why: "nobody switches the VM off while somebody may yet come to whom it can be handed over",
    edits: [
      {
        file: `${failover}/roles.ts`,
        find: "Math.max(untilMs, turn.nowMs + successorWaitMs)",
        replace: "turn.nowMs + successorWaitMs",
      },
    ],
    caughtBy: ["patience"],
    seedsMax: 500,
  },
  {
    name: "a backup that is told to leave while it takes over forgets how long it was to wait",
    why: "the wait counts from the moment it was told, whatever its role was then",
    edits: [
      {
        file: `${failover}/roles.ts`,
        find: "return told === null ? null : waitForSuccessor(told, turn);",
        replace: "return told === null ? null : waitForSuccessor({ untilMs: turn.nowMs }, turn);",
      },
    ],
    caughtBy: ["patience"],
    seedsMax: 1000,
  },
  {
    name: "a primary without a backup never looks at the record",
    why: "a primary that nobody acknowledges finds out that the record is not there any more",
    edits: [
      {
        file: `${failover}/primary.ts`,
        find: "const isDue = turn.nowMs >= role.lookMs;",
        replace: "const isDue = false;",
      },
    ],
    caughtBy: ["progress"],
    seedsMax: 1000,
  },
  {
    name: "a runner that starts anew has the name it had before",
    why: "a process that restarts is somebody else",
    edits: [
      {
        file: "test/simulation/world/world.ts",
        // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template.
        find: "return `${node}${number}`;",
        replace: "return node;",
      },
    ],
    caughtBy: [
      "single life",
      "consistency after failover",
      "output rule",
      "linearizable record",
      "replay",
      "progress",
      "fail-stop",
    ],
    seedsMax: 100,
  },
];
