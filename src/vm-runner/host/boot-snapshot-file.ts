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
  /** Of the compressed part: cheap to check. */
  fileSha256: z.string().length(64),
  /** Of the memory, then the devices: what the file means, however it was compressed. */
  stateSha256: z.string().length(64),
});

export type BootSnapshotHeader = z.infer<typeof headerSchema>;

/** Writes the file whole or not at all. */
export async function saveBootSnapshot(file: string, state: BootState): Promise<void> {
  const content = Buffer.concat([state.memory, state.devices]);
  const compressed = await promisify(zstdCompress)(content);
  const header = Buffer.from(
    JSON.stringify({
      timeUs: state.timeUs,
      memoryBytes: state.memory.length,
      devicesBytes: state.devices.length,
      fileSha256: sha256(compressed),
      stateSha256: sha256(content),
    } satisfies BootSnapshotHeader),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(header.length);
  const unfinished = `${file}.${process.pid}.new`;
  try {
    await writeFile(unfinished, Buffer.concat([Buffer.from(magic), length, header, compressed]));
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/** What the file says of its state. @throws BootSnapshotFileError when it is not whole. */
export async function checkBootSnapshot(file: string): Promise<BootSnapshotHeader> {
  return (await readWhole(file)).header;
}

/** @throws BootSnapshotFileError when the file is not there or not whole. */
export async function loadBootSnapshot(file: string): Promise<BootState> {
  const { header, compressed } = await readWhole(file);
  const { timeUs, memoryBytes, devicesBytes } = header;
  const content = await promisify(zstdDecompress)(compressed, {
    maxOutputLength: memoryBytes + devicesBytes,
  });
  if (content.length !== memoryBytes + devicesBytes) {
    throw new BootSnapshotFileError(`boot snapshot ${file} has ${content.length} bytes of state`);
  }
  return {
    timeUs,
    memory: content.subarray(0, memoryBytes),
    devices: new Uint8Array(content.subarray(memoryBytes)),
  };
}

async function readWhole(
  file: string,
): Promise<{ header: BootSnapshotHeader; compressed: Buffer }> {
  try {
    return parse(await readFile(file));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new BootSnapshotFileError(`boot snapshot ${file} cannot be used: ${reason}`, {
      cause: error,
    });
  }
}

function parse(bytes: Buffer): { header: BootSnapshotHeader; compressed: Buffer } {
  const start = magic.length + 4;
  if (bytes.length < start || bytes.toString("latin1", 0, magic.length) !== magic) {
    throw new BootSnapshotFileError(`it does not begin with "${magic.trim()}"`);
  }
  const headerBytes = bytes.readUInt32LE(magic.length);
  if (headerBytes > headerBytesMax) {
    throw new BootSnapshotFileError(`its header has ${headerBytes} bytes`);
  }
  const json: unknown = JSON.parse(bytes.toString("utf8", start, start + headerBytes));
  const header = headerSchema.parse(json);
  const compressed = bytes.subarray(start + headerBytes);
  if (sha256(compressed) !== header.fileSha256)
    throw new BootSnapshotFileError("its hash is wrong");
  return { header, compressed };
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
