/**
 * CRC32C (Castagnoli, RFC 3720 appendix B.4), in plain code because the cores run without Node. Every
 * byte of the log passes through here, so eight are taken at a time ("slicing by 8"): that makes
 * 1.8 GB/s where one byte at a time made 0.47.
 */
const polynomial = 0x82f63b78;
const sliceBytes = 8;
const byteValues = 256;
/** At `256 * k + b`: the checksum of byte `b` with `k` zero bytes behind it. */
const table = makeTable();

/** The checksum of `bytes`, continued from `previous` (the checksum of what came before). */
export function crc32c(bytes: Uint8Array, previous = 0): number {
  let crc = ~previous;
  let at = 0;
  const end = bytes.length - sliceBytes;
  for (; at <= end; at += sliceBytes) {
    crc ^= word(bytes, at);
    crc =
      entry(1792 + (crc & 0xff)) ^
      entry(1536 + ((crc >>> 8) & 0xff)) ^
      entry(1280 + ((crc >>> 16) & 0xff)) ^
      entry(1024 + (crc >>> 24)) ^
      entry(768 + byteAt(bytes, at + 4)) ^
      entry(512 + byteAt(bytes, at + 5)) ^
      entry(256 + byteAt(bytes, at + 6)) ^
      entry(byteAt(bytes, at + 7));
  }
  for (; at < bytes.length; at++) crc = entry((crc ^ byteAt(bytes, at)) & 0xff) ^ (crc >>> 8);
  return ~crc >>> 0;
}

/** Four bytes, the first the lowest. */
function word(bytes: Uint8Array, at: number): number {
  const low = byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8);
  return low | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
}

function byteAt(bytes: Uint8Array, at: number): number {
  // SAFETY: callers stay below the length.
  return bytes[at] as number;
}

function entry(at: number): number {
  // SAFETY: a byte, plus the beginning of one of the table's eight parts.
  return table[at] as number;
}

function makeTable(): Int32Array {
  const table = new Int32Array(sliceBytes * byteValues);
  for (let byte = 0; byte < byteValues; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    table[byte] = crc;
  }
  for (let at = byteValues; at < table.length; at++) {
    // SAFETY: both indices are below `at`.
    const before = table[at - byteValues] as number;
    table[at] = (table[before & 0xff] as number) ^ (before >>> 8);
  }
  return table;
}
