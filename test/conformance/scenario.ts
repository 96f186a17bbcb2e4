/**
 * What the conformance runs do: guests, what is typed and when, and how a run is written down.
 * The recording chooses times by the host's real clock, as a primary does; everything else follows
 * from the log.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import { frameBytesMax, frameBytesMin } from "../../src/shared/limits.ts";
import type { InspectableMachine } from "../../src/vm-runner/machine/deterministic-machine.ts";
import type { StepResult } from "../../src/vm-runner/machine/machine.ts";
import type { MachineSpec } from "../../src/vm-runner/machine/spec.ts";
import type { LogEntry, LogInput } from "../../src/vm-runner/replay/log-entry.ts";
import type { Peer } from "./peer.ts";

export type GuestKind = "tiny" | "linux";

export function guestSpec(folder: string, kind: GuestKind, cmdline: string): MachineSpec {
  const file = (name: string) => path.join(folder, name);
  if (kind === "tiny") {
    return { memoryMiB: 16, boot: { kind: "multiboot", program: file("tiny.bin") } };
  }
  return {
    memoryMiB: 96,
    boot: {
      kind: "linux",
      bios: file("bios.bin"),
      vgaBios: file("vgabios.bin"),
      kernel: file("vmlinuz"),
      initrd: file("initrd.gz"),
      cmdline,
    },
  };
}

/** One entry as it is written down: time in microseconds, what came in, whether to move. */
export interface RecordedEntry {
  readonly timeUs: number;
  readonly inputs: readonly RecordedInput[];
  readonly moves: boolean;
}

export type RecordedInput =
  | { readonly kind: "start" }
  | {
      readonly kind: "type";
      readonly writer: number;
      readonly position: number;
      readonly text: string;
    }
  | {
      readonly kind: "frames";
      readonly gateway: number;
      readonly first: number;
      /** In hexadecimal. */
      readonly frames: readonly string[];
    };

export interface Recording {
  readonly entries: readonly RecordedEntry[];
  /** Hash of the whole state after these steps. */
  readonly hashes: Readonly<Record<number, string>>;
  readonly output: string;
  /** Each step's frames, with the number of the first. */
  readonly egress: readonly string[];
  /** Steps before which the machine moved. */
  readonly moves: readonly number[];
  readonly jitModules: number;
  readonly jitFloats: readonly string[];
  readonly poweredOff: boolean;
}

export function toEntry({ timeUs, inputs }: RecordedEntry, index: number): LogEntry {
  return { index, timeUs, inputs: inputs.map(toInput) };
}

function toInput(input: RecordedInput): LogInput {
  if (input.kind === "start") {
    return {
      kind: "start",
      seed: Uint8Array.from({ length: 32 }, (_, i) => 3 * i + 1),
      mac: Uint8Array.of(0x02, 0x4c, 0x53, 0x01, 0x02, 0x03),
      wallClockMs: 1_800_000_000_000,
    };
  }
  if (input.kind === "frames") {
    const { gateway, first } = input;
    const frames = input.frames.map((hex) => new Uint8Array(Buffer.from(hex, "hex")));
    return { kind: "ingress", gateway, first, frames };
  }
  const { writer, position, text } = input;
  return { kind: "console", writer, position, bytes: new TextEncoder().encode(text) };
}

/** SHA-256 over the whole WebAssembly memory and the devices of ours. */
export function stateHash(machine: InspectableMachine): string {
  const hash = createHash("sha256");
  for (const part of machine.wholeState()) hash.update(part);
  return hash.digest("hex");
}

export function printed({ outputs }: StepResult): string {
  const parts = outputs.map((output) => (output.kind === "console" ? output.bytes : []));
  return parts.map((bytes) => Buffer.from(bytes).toString("latin1")).join("");
}

export function framesOf({ outputs }: StepResult): readonly Uint8Array[] {
  return outputs.flatMap((output) => (output.kind === "egress" ? output.frames : []));
}

/** What to compare of a step's frames: their bytes, and the number of the first. */
export function sentFrames(step: StepResult): string[] {
  const hex = framesOf(step).map((frame) => Buffer.from(frame).toString("hex"));
  const firsts = step.outputs.flatMap((output) => (output.kind === "egress" ? output.first : []));
  return hex.length > 0 ? [`${firsts} ${hex}`] : [];
}

/** What has happened so far. */
export interface Seen {
  readonly output: string;
  readonly machine: InspectableMachine;
  readonly peer: Peer;
}

/** The next thing to do once the guest has come so far. */
export interface Cue {
  readonly when: (seen: Seen) => boolean;
  readonly inputs?: readonly RecordedInput[];
  /** What the world outside does; its frames come with this entry, whatever room there is. */
  readonly outside?: (peer: Peer) => void;
  /** The numbers of these frames: on as before, the last ones again, or from a new gateway. */
  readonly numbers?: "again" | "another gateway";
  readonly move?: boolean;
}

const linuxWork = [
  "date -u +%Y",
  "cat /sys/class/net/eth0/address",
  "awk 'BEGIN{s=0;for(i=0;i<60000;i++)s+=i*1.5/(i+0.3);print s}'",
  "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); done; echo loop-$i",
  "dd if=/dev/zero bs=64k count=100 2>/dev/null | sha1sum",
  "head -c 32 /dev/urandom | md5sum",
  'sleep 0.3; echo HALF-""WAY',
  "dd if=/dev/urandom bs=64k count=20 2>/dev/null | gzip | wc -c >/dev/null",
  'sleep 0.2; echo ALL-""DONE',
].join("; ");

const cardReset = [
  "echo card features $(cat /sys/bus/virtio/devices/virtio0/features)",
  "rmmod virtio_net",
  "insmod /lib/modules/virtio_net.ko",
  "cat /sys/class/net/eth0/address",
  "ip link set eth0 address 02:00:00:00:00:99",
  "ip link set eth0 up",
  "ip addr add 192.168.127.2/24 dev eth0",
  'cat /sys/class/net/eth0/mtu; echo CARD-""RESET',
].join("; ");

/** More frames than the card has buffers. */
export const burstFrames = 300;

const tinyText = "hello, this is far more than a serial port takes in at once\nb";

export const cues: Readonly<Record<GuestKind, readonly Cue[]>> = {
  tiny: [
    { when: () => true, inputs: [{ kind: "start" }] },
    {
      when: ({ output }) => output.includes("tick 2"),
      inputs: [{ kind: "type", writer: 7, position: 0, text: tinyText }],
    },
    // It has no driver for its network card.
    { when: ({ output }) => output.includes("sum"), move: true, outside: flood },
    {
      outside: flood,
      numbers: "again",
      // The same bytes again, as a writer sends them after a failover, and some new ones.
      when: ({ output }) => output.includes("tick 5"),
      inputs: [
        { kind: "type", writer: 7, position: 0, text: `${tinyText}b` },
        { kind: "type", writer: 8, position: 0, text: "second writer\n" },
      ],
    },
    {
      when: ({ output }) => output.includes("tick 8"),
      move: true,
      inputs: [
        {
          kind: "type",
          writer: 8,
          position: 14,
          text: "0123456789012345678901234567890123456789\n",
        },
      ],
    },
    {
      when: ({ output }) => output.includes("tick 12"),
      inputs: [{ kind: "type", writer: 8, position: 55, text: "q" }],
    },
  ],
  linux: [
    // The end of the shared boot: a snapshot that many VMs start from. No driver is loaded yet.
    { when: ({ machine }) => machine.awaitsPersonality, move: true, outside: flood },
    { when: () => true, inputs: [{ kind: "start" }] },
    {
      when: ({ output }) => output.includes("~ # "),
      inputs: [{ kind: "type", writer: 1, position: 0, text: `${linuxWork}\n` }],
      outside: flood,
    },
    // By then `tcp-echo` has started too: this client asks once.
    {
      when: ({ output, machine }) => output.includes("loop-1500\r") && machine.ingressRoom > 0,
      outside: (peer) => peer.connect(),
    },
    { when: ({ peer }) => peer.isConnected, outside: (peer) => peer.send("one,") },
    // The connection stands, and its next bytes come in the very entry of the move.
    {
      when: ({ output, peer }) => output.includes("HALF-WAY\r") && peer.echoed.endsWith("one,"),
      move: true,
      outside: (peer) => {
        peer.ping(1);
        peer.send("two,");
      },
    },
    {
      when: ({ peer }) => peer.pings.includes(1) && peer.echoed.endsWith("two,"),
      outside: (peer) => peer.ping(2),
      numbers: "again",
    },
    {
      when: ({ output }) => output.includes("ALL-DONE\r"),
      inputs: [{ kind: "type", writer: 1, position: linuxWork.length + 1, text: `${cardReset}\n` }],
      outside: (peer) => peer.ping(3),
      numbers: "another gateway",
    },
    {
      when: ({ output }) => output.includes("CARD-RESET\r"),
      outside: (peer) => peer.requestAddress(1),
    },
    {
      when: ({ peer }) => peer.guestMac[5] === 0x99,
      outside: (peer) => {
        peer.ping(4);
        peer.send("three.");
      },
    },
  ],
};

/** Malformed frames, and more of the others than there is room for. */
function flood(peer: Peer): void {
  peer.queue.push(new Uint8Array(frameBytesMin - 1), new Uint8Array(frameBytesMax + 1));
  peer.requestAddress(burstFrames);
}

/** The recording ends when the guest is off, or here. */
export function isDone(kind: GuestKind, { peer }: Seen): boolean {
  return kind === "linux" && peer.pings.includes(4) && peer.echoed.endsWith("three.");
}
