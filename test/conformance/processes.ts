/** Runs the scripts of this folder in processes of their own, with the project's own Node. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";

const here = import.meta.dirname;
const root = path.dirname(path.dirname(here));

/** Folder of the default guest and the tiny guest; built on first use. */
export async function guestFolder(): Promise<string> {
  const script = path.join(root, "guest", "build.sh");
  const { stdout } = await promisify(execFile)("bash", [script], { maxBuffer: 2 ** 24 });
  return stdout.trim().split("\n").at(-1) ?? "";
}

export async function guestCmdline(folder: string): Promise<string> {
  const description = JSON.parse(await readFile(path.join(folder, "guest.json"), "utf8"));
  return description.cmdline;
}

/** The result that a script printed on its last line. */
export async function run(script: string, ...args: readonly string[]) {
  const file = path.join(here, script);
  const command = [file, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, command, { maxBuffer: 2 ** 24 });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "null");
}
