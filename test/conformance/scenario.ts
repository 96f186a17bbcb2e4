/**
 * What the conformance runs do: guests, what is typed and when, and how a run is written down.
 * The recording chooses times by the host's real clock, as a primary does; everything else follows
 * from the log.
 */
import { createHash } from "node:crypto";
import path from "node:path";
import type { InspectableMachine } from "../../src/vm-runner/machine/deterministic-machine.ts";
import type { MachineSpec } from "../../src/vm-runner/machine/spec.ts";
import type { LogEntry, LogInput } from "../../src/vm-runner/replay/log-entry.ts";

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

type RecordedInput =
  | { readonly kind: "start" }
  | {
      readonly kind: "type";
      readonly writer: number;
      readonly position: number;
      readonly text: string;
    };

export interface Recording {
  readonly entries: readonly RecordedEntry[];
  /** Hash of the whole state after these steps. */
  readonly hashes: Readonly<Record<number, string>>;
  readonly output: string;
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
  const { writer, position, text } = input;
  return { kind: "console", writer, position, bytes: new TextEncoder().encode(text) };
}

/** SHA-256 over the whole WebAssembly memory and the devices of ours. */
export function stateHash(machine: InspectableMachine): string {
  const hash = createHash("sha256");
  for (const part of machine.wholeState()) hash.update(part);
  return hash.digest("hex");
}

/** The next thing to do once the output shows that the guest has come so far. */
export interface Cue {
  readonly when: (output: string, machine: InspectableMachine) => boolean;
  readonly inputs?: readonly RecordedInput[];
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

const tinyText = "hello, this is far more than a serial port takes in at once\nb";

export const cues: Readonly<Record<GuestKind, readonly Cue[]>> = {
  tiny: [
    { when: () => true, inputs: [{ kind: "start" }] },
    {
      when: (o) => o.includes("tick 2"),
      inputs: [{ kind: "type", writer: 7, position: 0, text: tinyText }],
    },
    { when: (o) => o.includes("sum"), move: true },
    {
      // The same bytes again, as a writer sends them after a failover, and some new ones.
      when: (o) => o.includes("tick 5"),
      inputs: [
        { kind: "type", writer: 7, position: 0, text: `${tinyText}b` },
        { kind: "type", writer: 8, position: 0, text: "second writer\n" },
      ],
    },
    {
      when: (o) => o.includes("tick 8"),
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
      when: (o) => o.includes("tick 12"),
      inputs: [{ kind: "type", writer: 8, position: 55, text: "q" }],
    },
  ],
  linux: [
    // The end of the shared boot: a snapshot that many VMs start from.
    { when: (_, machine) => machine.awaitsPersonality, move: true },
    { when: () => true, inputs: [{ kind: "start" }] },
    {
      when: (o) => o.includes("~ # "),
      inputs: [{ kind: "type", writer: 1, position: 0, text: `${linuxWork}\n` }],
    },
    { when: (o) => o.includes("HALF-WAY\r"), move: true },
  ],
};

/** The recording ends when the guest is off, or here. */
export function isDone(kind: GuestKind, output: string): boolean {
  return kind === "linux" && output.includes("ALL-DONE\r");
}
