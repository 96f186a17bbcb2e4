/** Chunks of a snapshot travel compressed: most of a guest's memory is zero. zstd, from Node. */
import { promisify } from "node:util";
import { constants, zstdCompress, zstdDecompressSync } from "node:zlib";
import { snapshotChunkBytes } from "../../shared/limits.ts";

const compress = promisify(zstdCompress);
/** The fastest level: the transfer's time counts, and loopback and data centre are fast. */
const params = { [constants.ZSTD_c_compressionLevel]: 1 };

/** Compressed off the I/O thread. */
export async function pack(chunk: Uint8Array): Promise<Uint8Array> {
  return compress(chunk, { params });
}

/** Throws for what is not compressed, or is longer than a chunk may be. */
export function unpack(bytes: Uint8Array): Uint8Array {
  return zstdDecompressSync(bytes, { maxOutputLength: snapshotChunkBytes });
}
