/** Deliberate bugs in the Output Rule: what may be seen, and when. */
import type { Bug } from "./bugs.ts";

const failover = "src/vm-runner/failover";

export const outputBugs: readonly Bug[] = [
  {
    name: "an output leaves one entry early",
    why: "an output of step n leaves only when entry n is acknowledged",
    edits: [
      {
        file: "src/vm-runner/output-rule/output-hold.ts",
        find: "(item) => item.index <= through)",
        replace: "(item) => item.index <= through + 1)",
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
    why: "before pair is sent the candidate executes, and has acknowledged everything released",
    edits: [
      {
        file: `${failover}/primary.ts`,
        find: "const caughtUp = follower.acked >= role.hold.released;",
        replace: "const caughtUp = true;",
      },
      {
        file: `${failover}/primary-follower.ts`,
        find: "phase.complete && follower.executed >= phase.index) {",
        replace: "phase.complete) {",
      },
      {
        file: `${failover}/primary-follower.ts`,
        find: 'if (phase.kind === "catchingUp" && lagMsOf(role, follower) <= caughtUpMsOf(timings)) {',
        replace: 'if (phase.kind === "catchingUp") {',
      },
    ],
    caughtBy: ["output rule", "consistency after failover", "progress"],
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
        find: "const { heldEgressBytesMax } = state.config.bounds;",
        replace:
          "const { heldEgressBytesMax } = state.config.bounds;\n" +
          '  if (output.kind === "accepted") {\n' +
          '    turn.effects.push({ kind: "release", output, heldMs: 0 });\n    return role;\n  }',
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
        file: `${failover}/recorder-allowance.ts`,
        find: "const logFull = role.logFull ? fill > 0.5 : fill > 1;",
        replace: "const logFull = false;",
      },
      {
        file: `${failover}/recorder-allowance.ts`,
        find: "if (oldest === undefined || isTransferring(role)) return ahead;",
        replace: "if (oldest === undefined || oldest >= 0) return ahead;",
      },
    ],
    caughtBy: ["bounds"],
    seedsMax: 500,
  },
  {
    name: "the recorder runs ahead while the I/O stands still",
    why: "every buffer has a bound, whoever stands still",
    edits: [
      {
        file: `${failover}/recorder-allowance.ts`,
        find: "const ahead = last + bounds.recorderAheadEntriesMax;",
        replace: "const ahead = Number.MAX_SAFE_INTEGER;",
      },
      {
        file: `${failover}/recorder-allowance.ts`,
        find: "return Math.min(ahead, oldest - 1 + bounds.unacknowledgedEntriesMax);",
        replace: "return ahead;",
      },
    ],
    caughtBy: ["bounds"],
    seedsMax: 500,
  },
  {
    name: "anybody's acknowledgement counts for the named backup",
    why: "an output waits for the backup that the record names",
    edits: [
      {
        file: `${failover}/release.ts`,
        find: "follower?.nonce === nonce ? follower.acked : -1",
        replace: "follower !== null ? follower.acked : -1",
      },
    ],
    caughtBy: ["output rule", "consistency after failover"],
    seedsMax: 4000,
  },
];
