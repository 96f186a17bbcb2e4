/**
 * The file of a boot snapshot: a booted guest that waits for its start input. It is a cache: one
 * that cannot be read, or whose hash is wrong, is made again.
 *
 *     magic, length of the header (u32), header (JSON), memory and devices (zstd)
 */
import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { zstdCompress, zstdDecompress } from "node:zlib";
import { z } from "zod";

const magic = "lockstep boot 1\n";
const headerBytesMax = 4096;
/** The largest guest (1 GiB) with v86's own memory. */
const stateBytesMax = 2 ** 31;

export interface BootState {
  readonly memory: Uint8Array;
  readonly devices: Uint8Array;
  /** The machine's clock. */
  readonly timeUs: number;
}

/** The file is not a whole boot snapshot. */
export class BootSnapshotFileError extends Error {
  override readonly name = "BootSnapshotFileError";
}

const headerSchema = z.strictObject({
  timeUs: z.int().nonnegative(),
  memoryBytes: z.int().positive().max(stateBytesMax),
  devicesBytes: z.int().positive().max(stateBytesMax),
  sha256: z.string().length(64),
});

/** Writes the file whole or not at all. */
export async function saveBootSnapshot(file: string, state: BootState): Promise<void> {
  const content = Buffer.concat([state.memory, state.devices]);
  const header = Buffer.from(
    JSON.stringify({
      timeUs: state.timeUs,
      memoryBytes: state.memory.length,
      devicesBytes: state.devices.length,
      sha256: sha256(content),
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const compressed = await promisify(zstdCompress)(content);
  const unfinished = `${file}.${process.pid}.new`;
  try {
    await writeFile(unfinished, Buffer.concat([Buffer.from(magic), length, header, compressed]));
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** @throws BootSnapshotFileError when the file is not there or not whole. */
export async function loadBootSnapshot(file: string): Promise<BootState> {
  try {
    return await decode(await readFile(file));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BootSnapshotFileError(`boot snapshot ${file} cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

async function decode(bytes: Buffer): Promise<BootState> {
  const start = magic.length + 4;
  if (bytes.length < start || bytes.toString("latin1", 0, magic.length) !== magic) {
    throw new BootSnapshotFileError(`it does not begin with "${magic.trim()}"`);
  }
  const headerBytes = bytes.readUInt32LE(magic.length);
  if (headerBytes > headerBytesMax) {
    throw new BootSnapshotFileError(`its header has ${headerBytes} bytes`);
  }
  const json: unknown = JSON.parse(bytes.toString("utf8", start, start + headerBytes));
  const { timeUs, memoryBytes, devicesBytes, sha256: expected } = headerSchema.parse(json);
  const content = await promisify(zstdDecompress)(bytes.subarray(start + headerBytes), {
    maxOutputLength: memoryBytes + devicesBytes,
  });
  if (content.length !== memoryBytes + devicesBytes || sha256(content) !== expected) {
    throw new BootSnapshotFileError("its hash is wrong");
  }
  return {
    timeUs,
    memory: content.subarray(0, memoryBytes),
    devices: new Uint8Array(content.subarray(memoryBytes)),
  };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
