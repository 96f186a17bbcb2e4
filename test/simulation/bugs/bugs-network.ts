/** Deliberate bugs on the way between the guest's network card and the network behind the gateway. */
import type { Bug } from "./bugs.ts";

const gateway = "src/gateway/gateway.ts";
const service = "src/vm-runner/network/network-service.ts";
const hold = "src/vm-runner/output-rule/output-hold.ts";

export const networkBugs: readonly Bug[] = [
  {
    name: "a gateway lets in an older epoch after a newer one",
    why: "only the runner of the newest epoch is let in",
    edits: [
      {
        file: "src/gateway/newest-epoch.ts",
        find: 'if (claim.epoch < newest.epoch) return { kind: "refused", reason: "stale epoch" };',
        replace: "",
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 100,
  },
  {
    name: "a fresh gateway lets in whoever comes first",
    why: "a gateway reads the record before it lets anybody in",
    edits: [
      {
        file: gateway,
        find: 'if (this.#newest === null) {\n      link.standing = { kind: "waiting", claim };',
        replace:
          'this.#newest ??= { epoch: 0, primary: null };\n    if (this.#newest === null) {\n      link.standing = { kind: "waiting", claim };',
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 200,
  },
  {
    name: "frames of a runner that was not let in go through",
    why: "only the frames of the newest epoch's runner come out",
    edits: [
      {
        file: gateway,
        find: "if (this.#attached?.link !== link) {",
        replace: 'if (this.#attached?.link !== link && message.kind !== "egress") {',
      },
      {
        file: "src/gateway/runner-link.ts",
        find: "this.connection.end();",
        replace: "",
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 2_000,
  },
  {
    name: "a new primary sends all frames that it has, and they come out again",
    why: "no frame of the guest is doubled by a failover",
    edits: [
      {
        file: gateway,
        find: "for (const frame of frames.slice(repeated)) this.#toNetwork(frame);",
        replace: "for (const frame of frames) this.#toNetwork(frame);",
      },
      {
        file: service,
        find: "this.#history.from(egressNext)",
        replace: "this.#history.from(0)",
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 50,
  },
  {
    name: "the guest's frames leave without waiting for the acknowledgement",
    why: "frames are outputs: of step n they leave only when entry n is acknowledged",
    edits: [
      {
        file: hold,
        find: "(item) => item.index <= through)",
        replace: '(item) => item.index <= through || item.output.kind === "egress")',
      },
    ],
    caughtBy: ["output rule", "frames out"],
    seedsMax: 50,
  },
  {
    name: "the gateway is told of frames before their entry is acknowledged",
    why: "what the gateway forgets is in the acknowledged log",
    edits: [
      {
        file: hold,
        find: "(item) => item.index <= through)",
        replace: '(item) => item.index <= through || item.output.kind === "ingressAccepted")',
      },
    ],
    caughtBy: ["output rule", "frames in"],
    seedsMax: 100,
  },
  {
    name: "a new primary does not send what the gateway has not got",
    why: "no frame of the guest is lost by a failover",
    edits: [
      {
        file: service,
        find: "egressNext === null ? [] : this.#history.from(egressNext)",
        replace: "[]",
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 50,
  },
  {
    name: "a backup does not keep the frames that it executes",
    why: "no frame of the guest is lost by a failover",
    edits: [
      {
        file: service,
        find: 'if (output.kind === "egress") this.#history.remember(output);',
        replace: "",
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 50,
  },
  {
    name: "the gateway forgets frames when it has sent them",
    why: "no frame for the guest is lost by a failover",
    edits: [
      {
        file: gateway,
        find: "this.#ingressUnsent = run.first + run.frames.length;",
        replace:
          "this.#ingressUnsent = run.first + run.frames.length;\n      this.#ingress.forgetBefore(this.#ingressUnsent);",
      },
    ],
    caughtBy: ["frames in"],
    seedsMax: 100,
  },
  {
    name: "the next runner is not sent what the last one was",
    why: "no frame for the guest is lost by a failover",
    edits: [
      {
        file: gateway,
        find: "    this.#ingressUnsent = this.#ingress.first;\n",
        replace: "",
      },
    ],
    caughtBy: ["frames in"],
    seedsMax: 100,
  },
  {
    name: "a frame that is sent again is given to the guest again",
    why: "no frame for the guest is doubled by a failover",
    edits: [
      {
        file: "src/vm-runner/devices/network/fresh-frames.ts",
        find: "frames: frames.slice(repeated),",
        replace: "frames,",
      },
      {
        file: "src/vm-runner/replay/frame-queue.ts",
        find: "if (number < this.#next || ",
        replace: "if (",
      },
    ],
    caughtBy: ["frames in", "fail-stop"],
    seedsMax: 50,
  },
  {
    name: "an acceptance is told to whatever gateway there is",
    why: "a gateway forgets only what the log has of its own frames",
    edits: [
      {
        file: service,
        find: "if (accepted === null || this.#attachment?.gateway !== accepted.gateway) return;",
        replace: "if (accepted === null || this.#attachment === null) return;",
      },
      {
        file: gateway,
        find: "if (gateway !== this.#options.gateway) return;",
        replace: "next = Math.min(next, this.#ingress.next);",
      },
    ],
    caughtBy: ["frames in"],
    seedsMax: 500,
  },
  {
    name: "the guest's frames are held without a bound",
    why: "what the Output Rule holds is bounded",
    edits: [
      {
        file: "src/vm-runner/failover/primary-executor.ts",
        find: "!hasRoom(role.hold, output, heldEgressBytesMax)",
        replace: "!hasRoom(role.hold, output, Number.MAX_SAFE_INTEGER)",
      },
    ],
    caughtBy: ["bounds"],
    seedsMax: 50,
  },
  {
    name: "the gateway keeps frames for the guest without a bound",
    why: "what waits in the gateway is bounded",
    edits: [
      {
        file: "src/shared/limits.ts",
        find: "export const ingressInFlightFramesMax = 1_024;",
        replace: "export const ingressInFlightFramesMax = 100;",
      },
      {
        file: "src/gateway/ingress-queue.ts",
        find: "if (this.#kept.length >= ingressInFlightFramesMax) return false;",
        replace: "",
      },
    ],
    caughtBy: ["bounds"],
    seedsMax: 100,
  },
  {
    name: "a superseded primary says on that the guest lives in it",
    why: "who knows that another one is primary does not go to the gateway",
    edits: [
      {
        file: service,
        find: "  resign(): void {\n    this.#life = null;",
        replace: "  resign(): void {\n    if (this.#life !== null) return;",
      },
    ],
    caughtBy: ["frames out"],
    seedsMax: 500,
  },
];
