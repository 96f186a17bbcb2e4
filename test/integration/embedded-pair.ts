/** Runs the built `lockstep` command with a state directory of its own, and looks for survivors. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import os from "node:os";
import path from "node:path";
import type { PairStatus } from "../../src/cli/status.ts";
import { cacheDirectory } from "../../src/platform/cache-directory.ts";

/** Another build may be tested, as in pair-processes.ts. */
const program = path.resolve(process.env["LOCKSTEP_DIST"] ?? "dist", "cli", "main.js");

/** The machine may be busy with other tests: bounds are generous, and waiting ends early. */
export const longMs = 240_000;
const pollMs = 50;

export interface Finished {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** One user's computer: everything it starts can be found by its state directory. */
export class Sandbox {
  readonly directory = mkdtempSync(path.join(os.tmpdir(), "up-"));
  readonly #children: ChildProcess[] = [];

  start(...args: string[]): Started {
    return this.#spawn(process.execPath, [program, ...args]);
  }

  /** On a computer that is otherwise equipped. */
  startWith(env: NodeJS.ProcessEnv, ...args: string[]): Started {
    return this.#spawn(process.execPath, [program, ...args], env);
  }

  /** On a terminal: `script` gives it one. */
  startOnTerminal(...args: string[]): Started {
    const command = [process.execPath, program, ...args].join(" ");
    return this.#spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"]);
  }

  #spawn(file: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Started {
    const child = spawn(file, args, {
      env: { ...process.env, XDG_RUNTIME_DIR: this.directory, ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#children.push(child);
    return new Started(child);
  }

  run(...args: string[]): Promise<Finished> {
    return this.start(...args).finished;
  }

  async status(): Promise<PairStatus> {
    const { code, out, err } = await this.run("status", "--json");
    if (code !== 0) throw new Error(`status ended with code ${code}: ${err}`);
    return JSON.parse(out);
  }

  /** The pair once both halves are there. */
  async redundant(): Promise<PairStatus> {
    let seen = await this.status();
    await until("redundancy", async () => {
      seen = await this.status();
      const { record, halves } = seen;
      const roles = halves.map(({ status }) => status?.role).sort();
      return record?.backup != null && String(roles) === "backup,primary";
    });
    return seen;
  }

  /** Pids of processes whose command line names something in this state directory. */
  survivors(): number[] {
    return readdirSync("/proc")
      .filter((entry) => /^\d+$/.test(entry))
      .filter((pid) => commandLine(pid).includes(this.directory))
      .map(Number);
  }

  async close(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    }
    await until("every process to end", () => this.survivors().length === 0);
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class Started {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  out = "";
  err = "";

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text) => {
      this.out += text;
    });
    child.stderr?.setEncoding("utf8").on("data", (text) => {
      this.err += text;
    });
    this.finished = once(child, "close").then(([code]) => ({ code, out: this.out, err: this.err }));
  }

  async says(pattern: RegExp): Promise<RegExpExecArray> {
    await until(`${pattern}`, () => {
      const { exitCode, signalCode } = this.child;
      if (exitCode !== null || signalCode !== null) {
        throw new Error(`it ended (${exitCode ?? signalCode}) without ${pattern}: ${this.err}`);
      }
      return pattern.test(this.out);
    });
    const found = pattern.exec(this.out);
    if (found === null) throw new Error("it was just found");
    return found;
  }
}

export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 120_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** A computer with all that is here, but for gvproxy and for Go, with which it could be built. */
export function withoutGvproxy({ directory }: Sandbox): NodeJS.ProcessEnv {
  const [cache, programs] = [path.join(directory, "cache"), path.join(directory, "programs")];
  for (const made of [cache, programs]) mkdirSync(made);
  for (const kept of ["guest", "boot"]) {
    symlinkSync(path.join(cacheDirectory(), kept), path.join(cache, kept));
  }
  const known = new Set(["gvproxy", "go"]);
  const places = (process.env["PATH"] ?? "").split(path.delimiter).filter(existsSync);
  for (const place of places) {
    for (const name of readdirSync(place)) {
      if (!known.has(name)) symlinkSync(path.join(place, name), path.join(programs, name));
      known.add(name);
    }
  }
  return { PATH: programs, LOCKSTEP_CACHE: cache, LOCKSTEP_GVPROXY: "" };
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}
