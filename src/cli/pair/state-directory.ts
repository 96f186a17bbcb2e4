/**
 * Where a pair on this computer keeps its key, its records and its logs, and says how it can be
 * reached: one directory for each name, readable by its owner alone.
 */
import { lstatSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { z } from "zod";
import type { PublishedPort } from "../../gateway/published-port.ts";
import { exitCodes } from "../../shared/exit-codes.ts";
import { CommandError } from "../command-error.ts";
import { processStart } from "./process-start.ts";

const address = z.strictObject({ host: z.string(), port: z.int().min(1).max(65_535) });
export type Address = z.infer<typeof address>;

export function addressText({ host, port }: Address): string {
  return `${host}:${port}`;
}

const publishedPort: z.ZodType<PublishedPort> = z.strictObject({
  host: z.string(),
  hostPort: z.int(),
  guestPort: z.int(),
  protocol: z.literal(["tcp", "udp"]),
});

const halfSchema = z.strictObject({
  id: z.literal(["a", "b"]),
  /** Logging channel and console over TCP, heartbeats over UDP. */
  channel: address,
  http: address,
  /** Null while the half is not running. */
  pid: z.int().positive().nullable(),
  nonce: z.string().nullable(),
});
export type HalfEntry = z.infer<typeof halfSchema>;

const gatewaySchema = z.strictObject({
  /** For the runners. */
  address,
  http: address,
  /** Null while it is not running. */
  pid: z.int().positive().nullable(),
  ports: z.array(publishedPort),
});
export type GatewayEntry = z.infer<typeof gatewaySchema>;

const pairSchema = z.strictObject({
  format: z.literal(2),
  name: z.string(),
  vm: z.string(),
  pid: z.int().positive(),
  /** Tells this process from a later one with the same pid. */
  processStart: z.string(),
  arbiter: address,
  halves: z.tuple([halfSchema, halfSchema]),
  /** Null: the guest has no network. */
  gateway: gatewaySchema.nullable(),
  /** What the guest's user waits for, and whether it has come; null: nobody said. */
  guest: z.strictObject({ waitsFor: z.string(), ready: z.boolean() }).nullable(),
  /** Address of the web page with its token; null when it is off. */
  web: z.string().nullable(),
});
/** How `status`, `kill`, `console` and `stop` find a running pair. */
export type PairEntry = z.infer<typeof pairSchema>;

const namePattern = /^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** @throws CommandError for a name that cannot be a directory's. */
export function checkName(name: string): string {
  if (namePattern.test(name)) return name;
  const expected = 'expected 1 to 40 lower-case letters, digits and "-", such as "default"';
  throw new CommandError(exitCodes.usage, `name "${name}" cannot be used: ${expected}`);
}

export interface StateFiles {
  readonly directory: string;
  readonly key: string;
  readonly records: string;
  readonly entry: string;
}

export function stateFiles(name: string): StateFiles {
  const directory = path.join(stateRoot(), checkName(name));
  return {
    directory,
    key: path.join(directory, "key"),
    records: path.join(directory, "records"),
    entry: path.join(directory, "pair.json"),
  };
}

/** The log of one process of the pair: `arbiter`, `gateway`, `a` or `b`. */
export function logFile(files: StateFiles, component: string): string {
  return path.join(files.directory, `${component}.log`);
}

function stateRoot(): string {
  const runtime = process.env["XDG_RUNTIME_DIR"];
  if (runtime !== undefined && path.isAbsolute(runtime)) return path.join(runtime, "lockstep");
  return path.join(os.tmpdir(), `lockstep-${os.userInfo().uid}`);
}

/** Ends with the process in any case, because the kernel holds it. */
export interface NameClaim {
  release(): void;
}

/**
 * Makes the directory of `name` for this process and empties what a dead one left there.
 * @throws CommandError when the name is in use.
 */
export async function claimName(name: string): Promise<NameClaim> {
  const files = stateFiles(name);
  makePrivate(path.dirname(files.directory));
  const claim = await lockName(name, files.directory);
  try {
    requireFreeName(name);
    rmSync(files.directory, { recursive: true, force: true });
    mkdirSync(files.directory, { mode: 0o700 });
    mkdirSync(files.records, { mode: 0o700 });
    return claim;
  } catch (error) {
    claim.release();
    throw error;
  }
}

/** Early word, before anything slow is done. @throws CommandError when a pair has this name. */
export function requireFreeName(name: string): void {
  const owner = readEntry(name);
  if (owner !== null) throw inUse(name, `by process ${owner.pid}`);
}

/** The directory may be in /tmp, where anybody could have made it first. */
function makePrivate(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = lstatSync(directory);
  const mode = found.mode & 0o777;
  if (found.isDirectory() && found.uid === os.userInfo().uid && mode === 0o700) return;
  throw new CommandError(
    exitCodes.usage,
    `${directory} must be a directory of yours with mode 0700; ` +
      "remove it, or set XDG_RUNTIME_DIR to a directory that belongs to you",
  );
}

/** An abstract socket: of two processes one gets it, and the kernel frees it when that one ends. */
async function lockName(name: string, directory: string): Promise<NameClaim> {
  const server = net.createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(error.code === "EADDRINUSE" ? inUse(name, "by another process") : error);
    });
    server.listen(`\0lockstep:${directory}`, resolve);
  });
  server.unref();
  return { release: () => void server.close() };
}

function inUse(name: string, byWhom: string): CommandError {
  return new CommandError(
    exitCodes.usage,
    `a pair named "${name}" is already run ${byWhom}; ` +
      `give another --name, or stop it with: lockstep stop --name ${name}`,
  );
}

/** Replaces the entry at once, so that a reader sees the old or the new one. */
export function writeEntry(entry: PairEntry): void {
  const { entry: file } = stateFiles(entry.name);
  writeFileSync(`${file}.new`, `${JSON.stringify(entry, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

/** The pair that is run under this name now; null when there is none or its process is gone. */
export function readEntry(name: string): PairEntry | null {
  let text: string;
  try {
    text = readFileSync(stateFiles(name).entry, "utf8");
  } catch (error) {
    // SAFETY: the file system's errors have a code.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
  const parsed = pairSchema.safeParse(parseJson(text));
  if (!parsed.success) return null;
  return processStart(parsed.data.pid) === parsed.data.processStart ? parsed.data : null;
}

/** @throws CommandError when no such pair runs. */
export function requireEntry(name: string): PairEntry {
  const entry = readEntry(name);
  if (entry !== null) return entry;
  const start = name === "default" ? "lockstep up" : `lockstep up --name ${name}`;
  throw new CommandError(
    exitCodes.notRunning,
    `no pair named "${name}" is running; start it with: ${start}`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
