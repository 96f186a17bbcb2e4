/** `lockstep record` and `lockstep replay` as processes, on the real machine with the tiny guest. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { exitCodes } from "../../src/shared/exit-codes.ts";
import {
  BatchEncoder,
  decodeBatch,
  frameBytes,
} from "../../src/vm-runner/logging-channel/codec.ts";

const command = path.resolve("dist/cli/main.js");
const golden = path.resolve("test/golden/v2");
const guest = path.join(golden, "guest");
const timeoutMs = 120_000;
const endMark = Buffer.from("log end\n");

let folder: string;
let log: string;
let recorded: Run;

interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

beforeAll(async () => {
  folder = mkdtempSync(path.join(os.tmpdir(), "record-"));
  log = path.join(folder, "tiny.log");
  recorded = await recordTyping("hello\n", "q");
}, timeoutMs);

afterAll(() => rmSync(folder, { recursive: true }));

const machine = ["--guest", guest, "--memory", "16"];

/** Types one after the other, each when the guest has counted five more ticks. */
async function recordTyping(...keys: string[]): Promise<Run> {
  const child = spawn(process.execPath, [command, "record", ...machine, "--log", log]);
  const closed = once(child, "close");
  const err = text(child.stderr);
  let out = "";
  for await (const data of child.stdout.setEncoding("utf8")) {
    out += data;
    const due = Math.floor((out.match(/^tick/gm) ?? []).length / 5);
    for (const next of keys.splice(0, due)) child.stdin.write(next);
  }
  await closed;
  return { code: child.exitCode, out, err: await err };
}

function start(...args: string[]) {
  return spawn(process.execPath, [command, ...args], { stdio: ["ignore", "pipe", "pipe"] });
}

async function lockstep(...args: string[]): Promise<Run> {
  const child = start(...args);
  const closed = once(child, "close");
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  await closed;
  return { code: child.exitCode, out, err };
}

/** A copy of the log, changed. */
function changed(name: string, change: (bytes: Buffer) => Buffer): string {
  const file = path.join(folder, name);
  writeFileSync(file, change(readFileSync(log)));
  return file;
}

/** Where each batch begins; the last number is where the end mark does. */
function batchOffsets(bytes: Buffer): number[] {
  const offsets = [13 + 12 + bytes.readUInt32LE(13 + 4)];
  for (let at = offsets[0] ?? 0; !bytes.subarray(at).equals(endMark); ) {
    at += frameBytes(bytes, at);
    offsets.push(at);
  }
  return offsets;
}

test(
  "a guest that is typed to and powers off is recorded, and its replay prints the same bytes",
  async () => {
    expect(recorded.err).toContain("the guest is off");
    expect(recorded.code).toBe(exitCodes.ok);
    expect(recorded.out).toContain("HELLO");
    const replayed = await lockstep("replay", "--log", log);
    expect(replayed.err).toContain("every checksum is equal");
    expect(replayed.code).toBe(exitCodes.ok);
    expect(replayed.out).toBe(recorded.out);
  },
  timeoutMs,
);

test(
  "a quiet replay prints nothing but its verdict",
  async () => {
    const { out, code } = await lockstep("replay", "--log", log, "--quiet");
    expect([out, code]).toEqual(["", exitCodes.ok]);
  },
  timeoutMs,
);

test(
  "Ctrl-C ends a recording with a whole log",
  async () => {
    const file = path.join(folder, "interrupted.log");
    const child = start("record", ...machine, "--log", file);
    const closed = once(child, "close");
    // The guest counts its ticks: by now it runs.
    await once(child.stdout, "data");
    child.kill("SIGINT");
    await closed;
    expect(child.exitCode).toBe(exitCodes.ok);
    expect((await lockstep("replay", "--log", file, "--quiet")).code).toBe(exitCodes.ok);
  },
  timeoutMs,
);

test(
  "what is in a file is typed, and needs no terminal",
  async () => {
    const keys = path.join(folder, "keys");
    writeFileSync(keys, "from a file\nq");
    const file = path.join(folder, "typed.log");
    const run = await lockstep("record", ...machine, "--log", file, "--input", keys);
    expect(run.out).toContain("FROM A FILE");
    expect(run.code).toBe(exitCodes.ok);
  },
  timeoutMs,
);

test(
  "a recording ends after the time that was asked for",
  async () => {
    const file = path.join(folder, "short.log");
    const { code } = await lockstep("record", ...machine, "--log", file, "--for", "300ms");
    expect(code).toBe(exitCodes.ok);
    expect(readFileSync(file).subarray(-endMark.length)).toEqual(endMark);
  },
  timeoutMs,
);

test(
  "a log that was cut off is replayed as far as it goes, and the exit code says so",
  async () => {
    const file = changed("cut.log", (bytes) => bytes.subarray(0, bytes.length - 20));
    const { code, out, err } = await lockstep("replay", "--log", file);
    expect(err).toContain("was cut off");
    expect(code).toBe(exitCodes.truncatedLog);
    expect(recorded.out.startsWith(out)).toBe(true);
  },
  timeoutMs,
);

test(
  "a checksum that is not the machine's stops the replay there, and names the register",
  async () => {
    let index = 0;
    const file = changed("diverging.log", (bytes) => {
      const offsets = batchOffsets(bytes);
      const [from, to] = offsets.slice(offsets.length >> 1);
      const { first, checks, entries } = decodeBatch(bytes.subarray(from, to));
      const folded = Uint8Array.from(checks?.folded ?? []);
      folded[8] = (folded[8] ?? 0) ^ 1;
      const encoder = new BatchEncoder(first, { all: checks?.all ?? 0, folded });
      for (const entry of entries) encoder.add(entry);
      index = first;
      return Buffer.concat([bytes.subarray(0, from), encoder.finish().bytes, bytes.subarray(to)]);
    });
    const { code, err } = await lockstep("replay", "--log", file, "--quiet");
    expect(err).toContain(`diverged at step ${index}: registers differ: eip`);
    expect(code).toBe(exitCodes.divergence);
  },
  timeoutMs,
);

test.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
  [
    "a damaged batch",
    (bytes) => flip(bytes, bytes.length - 30),
    /is damaged at byte \d+: .*CRC32C/,
  ],
  ["a damaged header", (bytes) => flip(bytes, 40), /its header is damaged/],
  ["another format version", (bytes) => flip(bytes, 13), /format version 3; this Lockstep reads 2/],
  ["another kind of file", () => Buffer.from("#!/bin/sh\n"), /is not a log of Lockstep/],
  ["bytes after the end", (bytes) => Buffer.concat([bytes, bytes]), /bytes follow its end/],
])(
  "%s is refused with what was found",
  async (name, change, message) => {
    const file = changed(`${name}.log`, change);
    const { code, err } = await lockstep("replay", "--log", file, "--quiet");
    expect(err).toMatch(message);
    expect(code).toBe(exitCodes.unreadableLog);
  },
  timeoutMs,
);

test(
  "a log of another guest is refused, and both hashes are named",
  async () => {
    const other = path.join(folder, "guest");
    cpSync(guest, other, { recursive: true });
    const program = path.join(other, "tiny.bin");
    writeFileSync(program, Buffer.concat([readFileSync(program), Buffer.from([0])]));
    const { code, err } = await lockstep("replay", "--log", log, "--guest", other);
    expect(err).toMatch(/expected program "[0-9a-f]{64}", found "[0-9a-f]{64}"/);
    expect(code).toBe(exitCodes.unreadableLog);
  },
  timeoutMs,
);

test.each([
  ["an unknown option", ["record", "--log", "x", "--bogus"], /unknown option '--bogus'/],
  ["impossible memory", ["record", "--log", "x", "--memory", "7"], /even number of MiB from 16/],
  ["an impossible duration", ["record", "--log", "x", "--for", "1y"], /expected a duration/],
  ["a log that is not there", ["replay", "--log", "/no/such.log"], /no such file/],
  ["a guest that is not there", ["record", "--log", "x", "--guest", "/no/such"], /no guest at/],
])(
  "%s is a mistake of the command line, told in one sentence",
  async (_, args, message) => {
    const { code, err } = await lockstep(...args);
    expect(err).toMatch(message);
    expect(err.trim().split("\n")).toHaveLength(1);
    expect(code).toBe(exitCodes.usage);
  },
  timeoutMs,
);

test(
  "the golden log of format version 2 replays, or is refused with the part that differs",
  async () => {
    const args = ["--log", path.join(golden, "tiny.log"), "--guest", guest];
    const expected = readFileSync(path.join(golden, "tiny.console"), "utf8");
    let run = await lockstep("replay", ...args);
    if (run.code === exitCodes.unreadableLog) {
      expect(run.err).toMatch(/recorded on a different machine: expected .+, found .+/);
      run = await lockstep("replay", ...args, "--ignore-fingerprint");
      expect(run.err).toContain("warning:");
    }
    expect(run.code).toBe(exitCodes.ok);
    expect(run.out).toBe(expected);
  },
  timeoutMs,
);

test(
  "the golden log of format version 1 is refused, and both versions are named",
  async () => {
    const { code, err } = await lockstep("replay", "--log", "test/golden/v1/tiny.log");
    expect(err).toMatch(/v1\/tiny\.log has format version 1; this Lockstep reads 2/);
    expect(code).toBe(exitCodes.unreadableLog);
  },
  timeoutMs,
);

function flip(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}
