/** CRC32C (Castagnoli, RFC 3720 appendix B.4), in plain code because the cores run without Node. */
const polynomial = 0x82f63b78;
/** Checksum of each single byte. */
const table = makeTable();

/** The checksum of `bytes`, continued from `previous` (the checksum of what came before). */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  for (let i = 0; i < bytes.length; i++) {
    // SAFETY: the index is masked to the table's 256 entries, and i is below the length.
    crc = (table[(crc ^ (bytes[i] as number)) & 0xff] as number) ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let n = 0; n < 256; n++) {
    let crc = n;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    table[n] = crc;
  }
  return table;
}
