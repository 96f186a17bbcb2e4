/** The stock v86 (stock-machine.ts) in a process of its own. */
import { fileURLToPath } from "node:url";
import { findGuest } from "../src/vm-runner/host/guest-files.ts";
import { GuestShell } from "./guest-shell.ts";
import { killed, startPinned } from "./processes.ts";

const program = fileURLToPath(new URL("./stock-machine.ts", import.meta.url));

/** Boots it; resolves with its shell when that is up. */
export async function startStock(
  core: number,
  memoryMiB: number,
): Promise<{ readonly shell: GuestShell; readonly close: () => Promise<void> }> {
  const { spec } = await findGuest("default", memoryMiB);
  const child = startPinned(core, [program, JSON.stringify(spec)]);
  const shell = new GuestShell((text) => void child.stdin.write(text));
  child.stdout.on("data", (bytes: Buffer) => shell.feed(bytes));
  await shell.ready();
  return { shell, close: () => killed(child) };
}
