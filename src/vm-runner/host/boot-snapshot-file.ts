/**
 * The file of a boot snapshot: a booted guest that waits for its start input. It is a cache: one
 * that cannot be read, or whose hash is wrong, is made again.
 *
 *     magic, length of the header (u32), header (JSON), memory and devices (zstd)
 */
import { createHash } from "node:crypto";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { promisify } from "node:util";
import { createZstdDecompress, zstdCompress } from "node:zlib";
import { z } from "zod";

const magic = "lockstep boot 1\n";
const headerBytesMax = 4096;
/** The largest guest (1 GiB) with v86's own memory. */
const stateBytesMax = 2 ** 31;
const pieceBytes = 1 << 20;

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

/**
 * Hands the memory over piece by piece, in order, so that it is never there twice.
 * @throws BootSnapshotFileError when the file is not there or not whole.
 */
export async function loadBootSnapshot(
  file: string,
  onMemory: (offset: number, bytes: Uint8Array) => void,
): Promise<Omit<BootState, "memory">> {
  const { header, compressed } = await readWhole(file);
  const { timeUs, memoryBytes, devicesBytes } = header;
  const devices = new Uint8Array(devicesBytes);
  let loaded = 0;
  const take = (bytes: Uint8Array): void => {
    if (loaded + bytes.length > memoryBytes + devicesBytes) {
      throw new BootSnapshotFileError(`boot snapshot ${file} has more state than it says`);
    }
    const ofMemory = bytes.subarray(0, Math.max(0, memoryBytes - loaded));
    if (ofMemory.length > 0) onMemory(loaded, ofMemory);
    devices.set(bytes.subarray(ofMemory.length), Math.max(0, loaded - memoryBytes));
    loaded += bytes.length;
  };
  const decompress = createZstdDecompress({ chunkSize: pieceBytes });
  decompress.end(compressed);
  for await (const piece of decompress) take(piece);
  if (loaded === memoryBytes + devicesBytes) return { timeUs, devices };
  throw new BootSnapshotFileError(`boot snapshot ${file} has ${loaded} bytes of state`);
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
