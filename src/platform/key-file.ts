/**
 * The file with a VM's pre-shared key: 64 hexadecimal digits, readable by its owner alone; or, as the
 * volume of a Secret has it, root's and readable by a group that this process is in.
 */
import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, type Stats, writeFileSync } from "node:fs";
import { pskBytes } from "./psk.ts";

/** A key file that cannot be used; the message is one sentence for the user. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

/** As whom a process reads files. */
export interface Reader {
  readonly uid: number;
  readonly groups: readonly number[];
}

/** The key, `pskBytes` long. @throws KeyFileError */
export function readKeyFile(file: string, reader: Reader = thisProcess()): Uint8Array {
  const { stats, text } = readWithStats(file);
  if (!isPrivate(stats, reader)) {
    const octal = (stats.mode & 0o777).toString(8).padStart(4, "0");
    throw new KeyFileError(
      `key file ${file} has mode ${octal}, so others can read it; run: chmod 0600 ${file}`,
    );
  }
  const digits = text.trim();
  if (!/^[0-9a-f]*$/i.test(digits) || digits.length !== 2 * pskBytes) {
    throw new KeyFileError(
      `key file ${file} does not hold a key: expected ${2 * pskBytes} hexadecimal digits, ` +
        `found ${digits.length} characters; make one with: openssl rand -hex ${pskBytes}`,
    );
  }
  return Buffer.from(digits, "hex");
}

/** Makes a new random key in a new file. @throws KeyFileError, also when the file exists. */
export function createKeyFile(file: string): Uint8Array {
  const key = randomBytes(pskBytes);
  try {
    writeFileSync(file, `${key.toString("hex")}\n`, { flag: "wx", mode: 0o600 });
  } catch (error) {
    throw new KeyFileError(`cannot write key file ${file}: ${String(error)}`, { cause: error });
  }
  return key;
}

/**
 * An owner can keep others out, so it must have. Whoever reads as a member of the file's group was given
 * it by the owner; others than owner and group still read nothing, and nobody but the owner writes.
 */
function isPrivate({ mode, uid, gid }: Stats, reader: Reader): boolean {
  if ((mode & 0o077) === 0) return true;
  return (mode & 0o037) === 0 && uid !== reader.uid && reader.groups.includes(gid);
}

function thisProcess(): Reader {
  const { geteuid, getegid, getgroups } = process;
  if (geteuid === undefined || getegid === undefined || getgroups === undefined) {
    throw new KeyFileError("key files are read on Linux only, where files have owners and groups");
  }
  return { uid: geteuid(), groups: [getegid(), ...getgroups()] };
}

function readWithStats(file: string): { stats: Stats; text: string } {
  try {
    const descriptor = openSync(file, "r");
    try {
      return { stats: fstatSync(descriptor), text: readFileSync(descriptor, "utf8") };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new KeyFileError(`cannot read key file ${file}: ${String(error)}`, { cause: error });
  }
}
