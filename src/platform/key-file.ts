/** The file with a VM's pre-shared key: 64 hexadecimal digits, readable by its owner alone. */
import { randomBytes } from "node:crypto";
import { closeSync, fstatSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { pskBytes } from "./psk.ts";

/** A key file that cannot be used; the message is one sentence for the user. */
export class KeyFileError extends Error {
  override readonly name = "KeyFileError";
}

/** The key, `pskBytes` long. @throws KeyFileError */
export function readKeyFile(file: string): Uint8Array {
  const { mode, text } = readWithMode(file);
  if ((mode & 0o077) !== 0) {
    const octal = (mode & 0o777).toString(8).padStart(4, "0");
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

function readWithMode(file: string): { mode: number; text: string } {
  try {
    const descriptor = openSync(file, "r");
    try {
      return { mode: fstatSync(descriptor).mode, text: readFileSync(descriptor, "utf8") };
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new KeyFileError(`cannot read key file ${file}: ${String(error)}`, { cause: error });
  }
}
