/**
 * Which machine a user may ask for. Whatever is not known to be deterministic is refused here, with
 * the reason (QEMU calls it a replay blocker); it never silently diverges.
 */

/** Files are named by path; the shell reads them into `MachineImages`. */
export interface MachineSpec {
  /** Guest memory; a multiple of 2 from 16 to 1024. */
  readonly memoryMiB: number;
  readonly boot: BootSpec;
}

export type BootSpec =
  | {
      readonly kind: "linux";
      readonly bios: string;
      readonly vgaBios: string;
      readonly kernel: string;
      readonly initrd: string;
      readonly cmdline: string;
    }
  | { readonly kind: "multiboot"; readonly program: string };

/** The machine that was asked for cannot be had; the message says what to change. */
export class MachineSpecError extends Error {
  override readonly name = "MachineSpecError";
}

export const memoryMiBMin = 16;
export const memoryMiBMax = 1024;
const memoryMiBStep = 2;
/** The kernel's own limit for x86 (COMMAND_LINE_SIZE). */
const cmdlineBytesMax = 2047;

/** Options of v86 and others that people know, and why they are not to be had. */
const refusals: Readonly<Record<string, string>> = {
  hda: "disks need the logged disk device, which does not exist yet",
  hdb: "disks need the logged disk device, which does not exist yet",
  cdrom: "disks need the logged disk device, which does not exist yet",
  fda: "floppy disks are completed by the host's event loop",
  fdb: "floppy disks are completed by the host's event loop",
  filesystem: "the 9p file system answers from the host's event loop",
  network_relay_url: "frames must come from the log; put the VM behind the gateway",
  net_device: "every machine has one virtio network card",
  virtio_console: "the console is the first serial port",
  virtio_balloon: "its requests come from the host at any time",
  modem: "its timers run on the host's clock",
  acpi: "the power management timer has not been proven deterministic",
  screen: "the screen is drawn by the host's clock",
  initial_state: "a state comes only with a snapshot of Lockstep's own",
  autostart: "only log entries run the machine",
};

const bootFields = {
  linux: ["bios", "vgaBios", "kernel", "initrd", "cmdline"],
  multiboot: ["program"],
} as const;

/** Checks what a user wrote. */
export function parseMachineSpec(value: unknown): MachineSpec {
  const spec = record(value, "the machine");
  refuseUnknown(spec, ["memoryMiB", "boot"], "the machine");
  const boot = record(spec["boot"], "boot");
  return { memoryMiB: parseMemory(spec["memoryMiB"]), boot: parseBoot(boot) };
}

function parseMemory(value: unknown): number {
  const isAllowed =
    typeof value === "number" &&
    value >= memoryMiBMin &&
    value <= memoryMiBMax &&
    value % memoryMiBStep === 0;
  if (isAllowed) return value;
  throw new MachineSpecError(
    `memoryMiB is ${show(value)}; give an even number from ${memoryMiBMin} to ${memoryMiBMax}`,
  );
}

function parseBoot(boot: Readonly<Record<string, unknown>>): BootSpec {
  switch (boot["kind"]) {
    case "linux": {
      refuseUnknown(boot, ["kind", ...bootFields.linux], "boot");
      const [bios, vgaBios, kernel, initrd] = [
        text(boot, "bios"),
        text(boot, "vgaBios"),
        text(boot, "kernel"),
        text(boot, "initrd"),
      ];
      return { kind: "linux", bios, vgaBios, kernel, initrd, cmdline: parseCmdline(boot) };
    }
    case "multiboot":
      refuseUnknown(boot, ["kind", ...bootFields.multiboot], "boot");
      return { kind: "multiboot", program: text(boot, "program") };
    default:
      throw new MachineSpecError(`boot.kind is ${show(boot["kind"])}; give "linux" or "multiboot"`);
  }
}

function parseCmdline(boot: Readonly<Record<string, unknown>>): string {
  const cmdline = text(boot, "cmdline");
  if (cmdline.length <= cmdlineBytesMax && /^[ -~]*$/.test(cmdline)) return cmdline;
  throw new MachineSpecError(
    `boot.cmdline has ${cmdline.length} characters; give at most ${cmdlineBytesMax}, printable ASCII`,
  );
}

function text(owner: Readonly<Record<string, unknown>>, name: string): string {
  const value = owner[name];
  if (typeof value === "string" && value !== "") return value;
  throw new MachineSpecError(`boot.${name} is ${show(value)}; give a text`);
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    // SAFETY: it was just checked to be an object.
    return value as Readonly<Record<string, unknown>>;
  }
  throw new MachineSpecError(`${what} is ${show(value)}; give an object`);
}

function refuseUnknown(
  owner: Readonly<Record<string, unknown>>,
  known: readonly string[],
  what: string,
): void {
  for (const name of Object.keys(owner)) {
    if (known.includes(name)) continue;
    const reason = Object.hasOwn(refusals, name) ? refusals[name] : "it is not known";
    throw new MachineSpecError(
      `${what} cannot have "${name}": ${reason}; take it out (known: ${known.join(", ")})`,
    );
  }
}

function show(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
