/** Deliberate bugs on the way between the guest's console and who reads and types there. */
import type { Bug } from "./bugs.ts";

/** So that a few clients are enough to have some of their input refused. */
const littleRoom = {
  file: "src/vm-runner/replay/input-queue.ts",
  find: "size > consoleWriterBytesMax",
  replace: "size > 5_000",
} as const;

export const consoleBugs: readonly Bug[] = [
  {
    name: "a reader goes on one byte too far after a reconnect",
    why: "of the console no byte is lost, repeated or changed",
    edits: [
      {
        file: "src/cli/console/console-session.ts",
        find: 'this.#send(attempt, { kind: "attach", writer, position: this.#output.next });',
        replace:
          "const next = this.#output.next === null ? null : this.#output.next + 1;\n" +
          '    this.#send(attempt, { kind: "attach", writer, position: next });',
      },
    ],
    caughtBy: ["consistency after failover", "progress", "fail-stop"],
    seedsMax: 100,
  },
  {
    name: "what was typed is not typed again after a reconnect",
    why: "what is typed arrives once, also across a failover",
    edits: [
      {
        file: "src/cli/console/pending-input.ts",
        find: "this.#sent = this.#accepted;",
        replace: "",
      },
    ],
    caughtBy: ["consistency after failover", "progress", "fail-stop"],
    seedsMax: 200,
  },
  {
    name: "a new primary does not show what it executed as a backup",
    why: "a reader goes on at the right byte after a failover",
    edits: [
      {
        file: "src/vm-runner/console/console-service.ts",
        find: "this.#history.showAll();",
        replace: "",
      },
    ],
    caughtBy: ["consistency after failover", "progress", "fail-stop"],
    seedsMax: 200,
  },
  {
    name: "a byte that comes twice is typed twice",
    why: "what is typed arrives once, also across a failover",
    edits: [
      {
        file: "src/vm-runner/devices/console/writers.ts",
        find: "return input.bytes.subarray(known - input.position);",
        replace: "return input.bytes;",
      },
    ],
    caughtBy: ["consistency after failover", "progress", "fail-stop"],
    seedsMax: 200,
  },
  {
    name: "what is refused is typed again only after a reconnect",
    why: "what is typed arrives once, however much it is",
    edits: [
      littleRoom,
      {
        file: "src/cli/console/console-session.ts",
        find: "if (!stands || this.#attached === null) return;",
        replace: "return;",
      },
    ],
    caughtBy: ["progress"],
    seedsMax: 200,
  },
  {
    name: "input is taken after a gap",
    why: "what is told to be accepted is in the log",
    edits: [
      littleRoom,
      {
        file: "src/vm-runner/replay/input-queue.ts",
        find: "if (position > next || end",
        replace: "if (end",
      },
      {
        file: "src/vm-runner/devices/console/writers.ts",
        find: "if (input.position > known) return nothing;",
        replace: "if (input.position > known) return input.bytes;",
      },
    ],
    caughtBy: ["consistency after failover", "progress", "fail-stop"],
    seedsMax: 200,
  },
];
