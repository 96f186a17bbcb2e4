/**
 * Which files a guest consists of. A guest is a directory with a guest.json; those that come with
 * Lockstep, "default", "servers" and "tiny", are built on first use (guest/build.sh). A kernel of the
 * user's own is started by the BIOS of the default guest.
 */
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type MachineSpec, parseMachineSpec } from "../machine/spec.ts";

export interface Guest {
  readonly spec: MachineSpec;
  /** It asks for its personality when it is up, so that one boot serves every VM. */
  readonly sharedBoot: boolean;
}

/** A Linux of the user's own: two files and what the kernel is told. */
interface OwnKernel {
  readonly kernel: string;
  readonly initrd: string;
  readonly commandLine: string;
}

/** "default", "servers", "tiny", a directory with a guest.json, or a kernel of the user's own. */
export type GuestChoice = string | OwnKernel;

/** The guest cannot be had; the message says why. */
export class GuestError extends Error {
  override readonly name = "GuestError";
}

const linuxSchema = z.object({
  name: z.string().optional(),
  kernel: z.string(),
  initrd: z.string(),
  cmdline: z.string(),
  bios: z.string(),
  vgaBios: z.string(),
});
const multibootSchema = z.object({ program: z.string() });
const descriptionSchema = z.union([multibootSchema, linuxSchema]);

/** @throws GuestError, and MachineSpecError for a machine that cannot be had. */
export async function findGuest(choice: GuestChoice, memoryMiB: number): Promise<Guest> {
  if (typeof choice !== "string") return await ownKernel(choice, memoryMiB);
  const name = choice;
  if (name === "tiny") {
    const program = path.join(await buildGuest("default"), "tiny.bin");
    return {
      spec: parseMachineSpec({ memoryMiB, boot: { kind: "multiboot", program } }),
      sharedBoot: false,
    };
  }
  const directory = isBuiltHere(name) ? await buildGuest(name) : path.resolve(name);
  const description = await readDescription(path.join(directory, "guest.json"));
  const file = (relative: string) => path.resolve(directory, relative);
  if ("program" in description) {
    const boot = { kind: "multiboot", program: file(description.program) };
    return { spec: parseMachineSpec({ memoryMiB, boot }), sharedBoot: false };
  }
  const { bios, vgaBios, kernel, initrd, cmdline } = description;
  const boot = {
    kind: "linux",
    bios: file(bios),
    vgaBios: file(vgaBios),
    kernel: file(kernel),
    initrd: file(initrd),
    cmdline,
  };
  return {
    spec: parseMachineSpec({ memoryMiB, boot }),
    sharedBoot: isBuiltHere(description.name ?? ""),
  };
}

/** Whether it would ask for its personality nobody knows, so each VM boots by itself. */
async function ownKernel(own: OwnKernel, memoryMiB: number): Promise<Guest> {
  const firmware = await buildGuest("default");
  const bios = path.join(firmware, "bios.bin");
  const vgaBios = path.join(firmware, "vgabios.bin");
  const { kernel, initrd, commandLine: cmdline } = own;
  const boot = { kind: "linux", bios, vgaBios, kernel, initrd, cmdline };
  return { spec: parseMachineSpec({ memoryMiB, boot }), sharedBoot: false };
}

async function readDescription(file: string): Promise<z.infer<typeof descriptionSchema>> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GuestError(
      `no guest at ${path.dirname(file)}: ${reason}; give "default", "servers", "tiny" or a directory with a guest.json`,
    );
  }
  const parsed = descriptionSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new GuestError(
    `${file} describes no guest: ${z.prettifyError(parsed.error).replaceAll("\n", " ")}`,
  );
}

/** Linux guests that build.sh knows; all ask for their personality. */
function isBuiltHere(name: string): boolean {
  return name === "default" || name === "servers";
}

/** The directory with this guest; the build's progress goes to stderr. */
function buildGuest(name: string): Promise<string> {
  const script = fileURLToPath(new URL("../../../guest/build.sh", import.meta.url));
  const child = spawn("bash", [script, name], { stdio: ["ignore", "pipe", "inherit"] });
  let printed = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
  });
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      reject(new GuestError(`the guest cannot be built: ${error.message}; install bash`));
    });
    child.once("close", (code) => {
      const directory = printed.trim().split("\n").at(-1) ?? "";
      if (code === 0 && directory !== "") resolve(directory);
      else reject(new GuestError(`the guest cannot be built: ${script} ended with code ${code}`));
    });
  });
}
