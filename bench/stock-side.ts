/** The stock v86 (stock-machine.ts) in a process of its own. */
import { fileURLToPath } from "node:url";
import { findGuest } from "../src/vm-runner/host/guest-files.ts";
import { GuestShell } from "./guest-shell.ts";
import { type Child, killed, startPinned } from "./processes.ts";

const program = fileURLToPath(new URL("./stock-machine.ts", import.meta.url));

export interface StockSide {
  readonly shell: GuestShell;
  readonly child: Child;
  readonly close: () => Promise<void>;
}

/** Boots it; resolves with its shell when that is up. `switchPath`: gvproxy's QEMU socket. */
export async function startStock(
  guest: string,
  core: number,
  memoryMiB: number,
  switchPath?: string,
): Promise<StockSide> {
  const { spec } = await findGuest(guest, memoryMiB);
  const network = switchPath === undefined ? [] : [switchPath];
  const child = startPinned(core, [program, JSON.stringify(spec), ...network]);
  const shell = new GuestShell((text) => void child.stdin.write(text));
  child.stdout.on("data", (bytes: Buffer) => shell.feed(bytes));
  await shell.ready();
  return { shell, child, close: () => killed(child) };
}
