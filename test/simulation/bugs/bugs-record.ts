/** Deliberate bugs in the record: its decisions, what runners know of it, and its stores. */
import type { Bug } from "./bugs.ts";

const failover = "src/vm-runner/failover";
const record = "src/storage-arbiter/record";

export const recordBugs: readonly Bug[] = [
  {
    name: "a request at a stale epoch is granted",
    why: "of all requests that expect one epoch at most one takes effect",
    edits: [
      {
        file: `${record}/transition.ts`,
        find: 'if (record.epoch > request.epoch) return "stale epoch";',
        replace: "",
      },
    ],
    caughtBy: ["linearizable record", "single life"],
    seedsMax: 300,
  },
  {
    name: "alone makes no new epoch",
    why: "each granted change makes the next epoch",
    edits: [
      {
        file: `${record}/transition.ts`,
        find: "const next = { ...record, epoch: record.epoch + 1 };",
        replace:
          'const next = { ...record, epoch: record.epoch + (request.kind === "alone" ? 0 : 1) };',
      },
    ],
    caughtBy: ["linearizable record", "single life", "output rule", "progress", "fail-stop"],
    seedsMax: 100,
  },
  {
    name: "a take-over leaves the lost primary named as backup",
    why: "after a take-over the new primary is alone",
    edits: [
      {
        file: `${record}/transition.ts`,
        find: "primary: request.runner, backup: null, takeovers: record.takeovers + 1 }",
        replace:
          "primary: request.runner, backup: record.primary, takeovers: record.takeovers + 1 }",
      },
    ],
    caughtBy: ["linearizable record"],
    seedsMax: 100,
  },
  {
    name: "a new runner starts a VM that has lived",
    why: "a VM is started once; later lives continue it",
    edits: [
      {
        file: `${record}/transition.ts`,
        find: 'if (request.kind === "start" && record.epoch > 0) return "already started";',
        replace: "",
      },
      {
        file: `${failover}/candidate.ts`,
        find: 'if (known?.epoch === 0) {\n    return turn.ask(state, { kind: "start", vm, runner: nonce, epoch: 0 });',
        replace:
          'if (known !== null) {\n    return turn.ask(state, { kind: "start", vm, runner: nonce, epoch: known.epoch });',
      },
    ],
    caughtBy: ["linearizable record", "single life", "consistency after failover"],
    seedsMax: 50,
  },
  {
    name: "reading the old epoch settles a request",
    why: "a request that was not answered may yet land",
    edits: [
      {
        file: `${failover}/record-view.ts`,
        find: "const settled = view.known === null || record.epoch > view.known.epoch;",
        replace: "const settled = true;",
      },
      {
        file: `${failover}/pair.ts`,
        find: "return { ...state, asking: false, askAgainMs: turn.nowMs + recordRetryMs };",
        replace:
          "return turn.read({ ...state, asking: false, askAgainMs: turn.nowMs + recordRetryMs });",
      },
    ],
    caughtBy: ["output rule", "consistency after failover", "progress"],
    seedsMax: 2000,
  },
  {
    name: "an arbiter that lost the race says that it won",
    why: "of all who make one epoch exactly one does",
    edits: [
      {
        file: `${record}/file-store.ts`,
        find: 'if (isDiskError(error, "exists")) return false;',
        replace: 'if (isDiskError(error, "exists")) return true;',
      },
    ],
    caughtBy: ["linearizable record", "single life", "output rule", "consistency after failover"],
    seedsMax: 2000,
  },
  {
    name: "an arbiter answers before the disk has the record",
    why: "file and directory are synced before anybody is told",
    edits: [
      {
        file: `${record}/file-store.ts`,
        find: "this.#syncUpTo(record.vm, record.epoch);\n    return true;",
        replace: "return true;",
      },
    ],
    caughtBy: ["linearizable record", "single life"],
    seedsMax: 500,
  },
  {
    name: "an arbiter reads out a record that the disk may lose",
    why: "a reader syncs too: else it acts on what a power failure takes back",
    edits: [
      {
        file: `${record}/file-store.ts`,
        find: "this.#syncUpTo(vm, epoch);\n    return record;",
        replace: "return record;",
      },
    ],
    caughtBy: ["linearizable record", "single life"],
    seedsMax: 2000,
  },
  {
    name: "a missing record is taken for epoch 0",
    why: "a missing record refuses everything: a deleted Lease must not look like a new VM",
    edits: [
      {
        file: `${record}/transition.ts`,
        find: 'if (record === null) return { kind: "refused", reason: "missing record", record };',
        replace:
          'if (record === null && request.kind !== "start") return { kind: "refused", reason: "missing record", record };\n  if (record === null) return transition({ vm: request.vm, epoch: 0, primary: null, backup: null, takeovers: 0 }, request);',
      },
      {
        file: `${record}/file-store.ts`,
        find: "if (record.epoch === 0) {",
        replace: "if (record.epoch <= 1) {",
      },
      {
        file: `${failover}/pair.ts`,
        find: 'return turn.stop(state, "no record", message);',
        replace:
          "return learn(state, { vm: state.config.vm, epoch: 0, primary: null, backup: null, takeovers: 0 }, turn);",
      },
    ],
    caughtBy: ["linearizable record"],
    seedsMax: 2000,
  },
  {
    name: "a Lease is written whatever its resourceVersion",
    why: "a Lease changes only from the version that was read",
    edits: [
      {
        file: "test/simulation/record/lease.ts",
        find: 'if (resourceVersion !== String(this.#version)) return "conflict";',
        replace: "",
      },
    ],
    caughtBy: ["linearizable record", "single life", "output rule", "consistency after failover"],
    seedsMax: 1000,
  },
];
