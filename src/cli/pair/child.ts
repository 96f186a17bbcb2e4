/**
 * A process of the pair as a child of `up`: the same program with another subcommand. Its standard
 * input is a pipe from here, so that it notices our end however we end (`--exit-with-parent`).
 */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { BoundedLog } from "./bounded-log.ts";
import { wordsOf } from "./log-words.ts";

const program = fileURLToPath(new URL("../main.js", import.meta.url));
/** A line longer than this is no message for people. */
const lineCharactersMax = 64 * 1024;

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last thing in its log that says what went wrong; null: there was none. */
  readonly lastWords: string | null;
}

export interface Child {
  readonly pid: number;
  /** The first line of standard output; null when it ended or the time was up before. */
  readonly ready: Promise<unknown>;
  readonly exited: Promise<ChildExit>;
  kill(signal: NodeJS.Signals): void;
}

/** @throws Error when the process cannot be started at all. */
export function startChild(args: readonly string[], log: string, readyTimeoutMs: number): Child {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["pipe", "pipe", "pipe"] });
  // Writes to the pipe of an ended child are nobody's loss.
  child.stdin.on("error", () => {});
  const words = collectWords(child, log);
  const exited = new Promise<ChildExit>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, lastWords: words.last }));
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`cannot start ${process.execPath}`);
  return {
    pid,
    ready: firstLine(child, exited, readyTimeoutMs),
    exited,
    kill: (signal) => void child.kill(signal),
  };
}

type Process = ChildProcessByStdio<Writable, Readable, Readable>;

function firstLine(
  child: Process,
  exited: Promise<ChildExit>,
  readyTimeoutMs: number,
): Promise<unknown> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), readyTimeoutMs);
    let isFirst = true;
    onLines(child.stdout, (line) => {
      if (isFirst) resolve(parseJson(line));
      isFirst = false;
    });
    const end = () => resolve(null);
    exited.then(end, end).finally(() => clearTimeout(timer));
  });
}

/** Keeps the log in a file, and in mind what was last wrong. */
function collectWords(child: Process, file: string): { last: string | null } {
  const log = new BoundedLog(file);
  const words: { last: string | null } = { last: null };
  onLines(child.stderr, (line) => {
    log.append(`${line}\n`);
    words.last = wordsOf(line) ?? words.last;
  });
  return words;
}

function onLines(stream: Readable, onLine: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = (lines.pop() ?? "").slice(-lineCharactersMax);
    for (const line of lines) onLine(line);
  });
  stream.on("end", () => {
    if (rest !== "") onLine(rest);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
