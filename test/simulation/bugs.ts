/**
 * Deliberate bugs: what each promise of the pair is worth is seen when the code that keeps it is
 * broken. `npm run sim -- --bugs` plants them one at a time (bug-loader.ts) and runs seeds until a
 * checker sees it. Each is as small as a slip of the pen could be; where the protocol has a second
 * line of defence, a bug takes that away too.
 */
import { consoleBugs } from "./bugs-console.ts";
import { recordBugs } from "./bugs-record.ts";
import { transferBugs } from "./bugs-transfer.ts";
import type { CheckerName } from "./checkers/checker.ts";
import type { Shape } from "./options.ts";

export interface Bug {
  readonly name: string;
  /** The promise that it breaks. */
  readonly why: string;
  readonly edits: readonly Edit[];
  /** Checkers that may be the first to see it. */
  readonly caughtBy: readonly CheckerName[];
  /** Of the runs that look for it; "full" when absent. */
  readonly shape?: Shape;
  /** It is caught within the seeds 1 to this one. */
  readonly seedsMax: number;
}

export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  /** Is in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

const failover = "src/vm-runner/failover";

const outputBugs: readonly Bug[] = [
  {
    name: "an output leaves one entry early",
    why: "an output of step n leaves only when entry n is acknowledged",
    edits: [
      {
        file: "src/vm-runner/output-rule/output-hold.ts",
        find: "(item) => item.index > through)",
        replace: "(item) => item.index > through + 1)",
      },
    ],
    caughtBy: ["output rule"],
    seedsMax: 50,
  },
  {
    name: "the backup acknowledges one entry more than it received",
    why: "acknowledged means received",
    edits: [
      {
        file: `${failover}/follower-messages.ts`,
        find: '{ kind: "ack", received, executed, executedUs }',
        replace: '{ kind: "ack", received: received + 1, executed, executedUs }',
      },
    ],
    caughtBy: ["output rule", "progress"],
    seedsMax: 100,
  },
  {
    name: "outputs leave while a lost backup may still be named",
    why: "a primary that lost its backup shows nothing until alone is granted",
    edits: [
      {
        file: `${failover}/release.ts`,
        find: "for (const nonce of counted) {",
        replace:
          'for (const nonce of counted) {\n    if (follower?.phase.kind === "lost") continue;',
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 200,
  },
  {
    name: "a backup counts only once pair is answered",
    why: "the hold counts whoever could by now be named",
    edits: [
      {
        file: `${failover}/release.ts`,
        find: 'if (follower?.phase.kind === "gated") counted.add(follower.nonce);',
        replace: "",
      },
      {
        file: `${failover}/record-view.ts`,
        find: 'if (request.kind === "pair") backups.add(request.backup);',
        replace: "",
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 200,
  },
  {
    name: "an unsettled pair is not counted",
    why: "a request whose answer was lost may have been granted",
    edits: [
      {
        file: `${failover}/record-view.ts`,
        find: 'if (request.kind === "pair") backups.add(request.backup);',
        replace: "",
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 2000,
  },
  {
    name: "pair is asked before the candidate has caught up",
    why: "before pair is sent the candidate has acknowledged everything released",
    edits: [
      {
        file: `${failover}/primary.ts`,
        find: "const caughtUp = follower.acked >= role.hold.released;",
        replace: "const caughtUp = true;",
      },
      {
        file: `${failover}/primary-follower.ts`,
        find: 'if (phase.kind === "catchingUp" && lagMsOf(role, follower) <= caughtUpMs) {',
        replace: 'if (phase.kind === "catchingUp") {',
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 1000,
  },
  {
    name: "a reconnected backup counts as having everything",
    why: "only what the backup says it has is acknowledged",
    edits: [
      {
        file: `${failover}/primary-follower.ts`,
        find: "const acked = Math.max(follower.acked, hello.received);",
        replace: "const acked = Math.max(follower.acked, role.log.next - 1);",
      },
    ],
    caughtBy: ["output rule", "consistency after failover", "progress"],
    seedsMax: 500,
  },
  {
    name: "a writer is told at once that its bytes are in",
    why: "telling a writer is an output like any other",
    edits: [
      {
        file: `${failover}/primary-executor.ts`,
        find: "const { index, output } = event;",
        replace:
          'const { index, output } = event;\n      if (output.kind === "accepted") {\n' +
          '        turn.effects.push({ kind: "release", output, heldMs: 0 });\n        return role;\n      }',
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 100,
  },
  {
    name: "a writer is told of one byte too many",
    why: "what was typed arrives once, and what was accepted is in the log",
    edits: [
      {
        file: "src/vm-runner/replay/recorder.ts",
        find: "const position = machine.writerPosition(writer);",
        replace: "const position = machine.writerPosition(writer) + 1;",
      },
    ],
    caughtBy: ["output rule", "consistency after failover", "progress", "fail-stop"],
    seedsMax: 50,
  },
  {
    name: "a backup shows what it executes",
    why: "only the primary is seen",
    edits: [
      {
        file: `${failover}/follower-executor.ts`,
        find: 'turn.effects.push({ kind: "remember", output: event.output });',
        replace: 'turn.effects.push({ kind: "release", output: event.output, heldMs: 0 });',
      },
    ],
    caughtBy: ["single life", "output rule"],
    seedsMax: 50,
  },
  {
    name: "the primary never waits for a full buffer",
    why: "every buffer has a bound",
    edits: [
      {
        file: `${failover}/release.ts`,
        find: "const blocked = role.blocked ? fill > 0.5 : fill > 1;",
        replace: "const blocked = false;",
      },
    ],
    caughtBy: ["bounds"],
    seedsMax: 500,
  },
];

const lifeBugs: readonly Bug[] = [
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
    seedsMax: 500,
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
    seedsMax: 500,
  },
  {
    name: "a backup whose connection breaks throws its log away",
    why: "who has acknowledged takes over if need be",
    edits: [
      {
        file: `${failover}/follower.ts`,
        find: 'if (role.machine.kind !== "standing") return discard(state, role, turn);\n  if (role.leaving)',
        replace: "if (!role.leaving) return discard(state, role, turn);\n  if (role.leaving)",
      },
    ],
    caughtBy: ["progress", "fail-stop", "consistency after failover"],
    seedsMax: 100,
  },
  {
    name: "a runner that starts anew has the name it had before",
    why: "a process that restarts is somebody else",
    edits: [
      {
        file: "test/simulation/world.ts",
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

export const bugs: readonly Bug[] = [
  ...outputBugs,
  ...lifeBugs,
  ...recordBugs,
  ...transferBugs,
  ...consoleBugs,
];
