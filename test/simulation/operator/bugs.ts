/**
 * Deliberate bugs in the operator: what each promise of its plan is worth is seen when the code that keeps it
 * is broken. `npm run sim -- --operator --bugs` plants them one at a time.
 */
import type { Edit } from "../bugs/bugs.ts";
import type { OperatorCheckerName } from "./checkers/checker.ts";

export interface OperatorBug {
  readonly name: string;
  /** The promise that it breaks. */
  readonly why: string;
  readonly edits: readonly Edit[];
  /** Checkers that may be the first to see it. */
  readonly caughtBy: readonly OperatorCheckerName[];
  /** It is caught within the seeds 1 to this one. */
  readonly seedsMax: number;
}

const file = (name: string) => `src/operator/reconcile/${name}.ts`;

export const operatorBugs: readonly OperatorBug[] = [
  {
    name: "a runner's object is released before its end is proven",
    why: "the object is the only proof that a process is gone",
    edits: [
      {
        file: file("runners"),
        find: "  if (named !== null) return;\n",
        replace:
          '  if (named !== null && !pod.deleting) return;\n  if (named !== null && pod.held) return draft.act({ kind: "releasePod", name: pod.name, uid: pod.uid });\n',
      },
    ],
    caughtBy: ["nobody is ended", "convergence"],
    seedsMax: 100,
  },
  {
    name: "the backup's end is not proven before a restart",
    why: "a backup that cannot be seen may take over",
    edits: [
      {
        file: file("sight"),
        find: "return gone(record.primary, sight.primary) && gone(record.backup, sight.backup);",
        replace: "return gone(record.primary, sight.primary);",
      },
    ],
    caughtBy: ["single life"],
    seedsMax: 100,
  },
  {
    name: "a node that is not ready counts as off",
    why: "silence proves nothing: the runners of a node that is cut off live",
    edits: [
      {
        file: file("sight"),
        find: "if (isTurnedAway(pod)) return node.ready;",
        replace: "if (isTurnedAway(pod) || !node.ready) return true;",
      },
    ],
    caughtBy: ["single life", "nobody is ended"],
    seedsMax: 300,
  },
  {
    name: "surplus is taken from the primary's side",
    why: "nobody whom the record names is ended but a backup that is not wanted, beside a primary that works",
    edits: [
      {
        file: file("runners"),
        find: "if (lives && primary !== null && !primary.gone && !primary.pod.deleting) remove(backup, draft);",
        replace: "if (primary !== null) remove(primary, draft);",
      },
    ],
    caughtBy: ["nobody is ended"],
    seedsMax: 200,
  },
  {
    name: "pod numbers are used again",
    why: "a pod of the same name is somebody else, and the record knows runners by the name of the pod",
    edits: [
      {
        file: file("plan"),
        find: "const numbers = [o.vm.status?.lastPod ?? 0, ...o.pods.map((pod) => pod.number)];",
        replace:
          "const numbers = [0, ...o.pods.filter((pod) => pod.terminated === null).map((pod) => pod.number)];",
      },
    ],
    caughtBy: ["convergence", "nobody is ended", "single life", "few pods"],
    seedsMax: 200,
  },
  {
    name: "candidates are not counted",
    why: "what is on its way is not missing",
    edits: [
      {
        file: file("runners"),
        find: "const missing = wanted.count - standing(sight) - candidates.length;",
        replace: "const missing = wanted.count - standing(sight);",
      },
    ],
    caughtBy: ["few pods", "convergence"],
    seedsMax: 20,
  },
  {
    name: "a gateway that does not fit is kept",
    why: "a gateway of an earlier life, or of other ports, is replaced",
    edits: [
      {
        file: file("gateways"),
        find: "    pod.life === running.life &&\n    pod.applied === hash &&\n    !pod.deleting &&\n    !isOver(pod) &&\n",
        replace: "    pod.applied !== hash.slice(1) &&\n",
      },
    ],
    caughtBy: ["convergence"],
    seedsMax: 200,
  },
  {
    name: "a record that was lost is made anew",
    why: "a Lease that was deleted must not look like a new machine",
    edits: [
      {
        file: file("plan"),
        find: 'if (status?.record !== undefined) return broken(o, draft, "RecordLost", recordLostMessage(o));',
        replace: "",
      },
    ],
    caughtBy: ["one record"],
    seedsMax: 500,
  },
  {
    name: "a machine without its key is ordered to switch off",
    why: "nobody can give an order without the key: the halves are told to leave",
    edits: [
      {
        file: file("plan"),
        find: "if (isKeyLost(o, life)) planDismissal(sight, draft);\n    else planPowerOff(sight, draft);",
        replace: "planPowerOff(sight, draft);",
      },
    ],
    caughtBy: ["convergence"],
    seedsMax: 2_000,
  },
  {
    name: "FaultTolerant is what the record says",
    why: "a half that does not work is no redundancy",
    edits: [
      {
        file: file("verdicts"),
        find: "if (record.backup !== null && works(backup) && works(primary)) {",
        replace: "if (record.backup !== null) {",
      },
    ],
    caughtBy: ["status honesty"],
    seedsMax: 500,
  },
  {
    name: "an old word of the record is proof",
    why: "a runner may have been named after the record was last heard of",
    edits: [
      {
        file: file("sight"),
        find: "if (isGone(pod, nodes) || isSaidToBeGone(pod, nodes)) return true;\n    return pod.role !== null && roleIn(record, pod) === null;",
        replace: "return pod === null;",
      },
      {
        file: file("sight"),
        find: "return record.epoch < (status?.epoch ?? 0);",
        replace: "return record.epoch < 0 && status === null;",
      },
    ],
    caughtBy: ["convergence", "nobody is ended"],
    seedsMax: 1000,
  },
  {
    name: "a guest that switched itself off is taken for lost",
    why: "who switched itself off stays off",
    edits: [
      {
        file: file("life"),
        find: 'const isWanted = running.ordered === "off" || wasLeftAlone(ends, record);',
        replace: "const isWanted = true;",
      },
    ],
    caughtBy: ["single life", "convergence"],
    seedsMax: 500,
  },
];
