/** The real file system, as the record's store needs it. */
import { randomUUID } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { type Disk, DiskError } from "./disk.ts";

export const nodeDisk: Disk = {
  list: (directory) => translated(() => readdirSync(directory)),
  readText: (file) => translated(() => readFileSync(file, "utf8")),
  writeNew: (file, text) =>
    translated(() => writeFileSync(file, text, { flag: "wx", mode: 0o600, flush: true })),
  link: (file, name) => translated(() => linkSync(file, name)),
  unlink: (file) => translated(() => unlinkSync(file)),
  makeDirectory: (directory) => translated(() => mkdirSync(directory, { mode: 0o700 })),
  syncDirectory: (directory) => translated(() => syncDirectory(directory)),
  freshWord: () => `${process.pid}.${randomUUID()}`,
};

function syncDirectory(directory: string): void {
  const descriptor = openSync(directory, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Runs `work`; what the system refuses becomes a DiskError. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const meaning = code === "EEXIST" ? "exists" : code === "ENOENT" ? "missing" : "failed";
    throw new DiskError(meaning, String(error), error);
  }
}

/** The system's name of an operating failure, such as ENOENT. */
function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}
