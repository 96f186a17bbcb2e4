/**
 * Runs the go command for the cluster's modules: in an environment that the user's settings do not
 * change, line by line, bounded in time, and never longer than this process.
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { BinariesError } from "./binaries-error.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface Go {
  readonly program: string;
  readonly environment: Environment;
}

const goArchitectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };

/** null: it is not on the PATH. */
export async function findGo(environment: Environment): Promise<Go | null> {
  const program = await onPath("go", environment);
  if (program === null) return null;
  return { program, environment: goEnvironment(environment, process.arch) };
}

async function onPath(name: string, environment: Environment): Promise<string | null> {
  for (const directory of (environment["PATH"] ?? "").split(path.delimiter)) {
    if (directory === "") continue;
    const program = path.join(directory, name);
    const runnable = await access(program, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (runnable) return program;
  }
  return null;
}

/** GOPROXY, GOCACHE and their like stay the user's. */
export function goEnvironment(environment: Environment, architecture: string): Environment {
  return {
    ...environment,
    CGO_ENABLED: "0",
    GOWORK: "off",
    // An empty one would let the user's `go env -w` through.
    GOFLAGS: "-buildvcs=false",
    GOOS: "linux",
    GOARCH: goArchitectures[architecture] ?? architecture,
  };
}

export interface GoRun {
  readonly args: readonly string[];
  readonly directory: string;
  readonly timeoutMs: number;
  readonly onErrorLine?: (line: string) => void;
}

/** The command's standard output, in lines. @throws BinariesError with the first of what it complained */
export async function runGo(go: Go, run: GoRun): Promise<string[]> {
  const [program, args] = await endingWithUs(go, run.args);
  const child = spawn(program, args, {
    cwd: run.directory,
    env: { ...go.environment },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: run.timeoutMs,
  });
  const kill = () => child.kill();
  process.once("exit", kill);
  if (child.pid !== undefined) giveWay(child.pid);
  const lines: string[] = [];
  const complaints: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  createInterface({ input: child.stderr }).on("line", (line) => {
    run.onErrorLine?.(line);
    if (isComplaint(line)) complaints.push(line);
  });
  const how = await new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? null : (signal ?? `code ${code}`)));
  });
  process.off("exit", kill);
  if (how === null) return lines;
  throw new BinariesError("build failed", failureText(run, how, complaints));
}

/**
 * Where there is setpriv, also when we are killed with SIGKILL: it would compile on for minutes. Its own
 * children, of which each compiles one package, end soon after.
 */
async function endingWithUs(
  { program, environment }: Go,
  args: readonly string[],
): Promise<[program: string, args: readonly string[]]> {
  const setpriv = await onPath("setpriv", environment);
  if (setpriv === null) return [program, args];
  return [setpriv, ["--pdeathsig", "KILL", program, ...args]];
}

/** Compiling takes all processors for minutes; who sits at the computer comes first. */
function giveWay(pid: number): void {
  try {
    os.setPriority(pid, 10);
  } catch {
    // It has ended already, and says so itself.
  }
}

const complaintLinesMax = 8;

/** A line of -v is the bare path of a package; one about a download is no complaint either. */
export function isComplaint(line: string): boolean {
  return !isPackageLine(line) && !line.startsWith("go: downloading ");
}

export function isPackageLine(line: string): boolean {
  return /^[\w.~/-]+$/.test(line);
}

function failureText(run: GoRun, how: string, complaints: readonly string[]): string {
  const first = complaints.slice(0, complaintLinesMax).join("\n  ");
  return (
    `building them failed: go ${run.args[0] ?? ""} in ${run.directory} ended with ${how}` +
    (first === "" ? "" : `:\n  ${first}`)
  );
}
