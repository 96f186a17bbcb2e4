/**
 * The hash by which the operator knows what it applied last. It is two 32-bit hashes of unlike families
 * over the same bytes, CRC-32C (which the log has anyway) and FNV-1a: one of them alone would call two
 * objects of a large fleet equal by chance, and FNV-1a with 64 bits needs BigInt for each byte. It
 * protects against accidents only: whoever could look for a collision may write the object anyway.
 */
import { crc32c } from "../../shared/crc32c.ts";

const fnvOffset = 0x811c9dc5;
const fnvPrime = 0x01000193;

/** 16 hexadecimal digits; the same for values that are equal but for the order of their keys. */
export function hashOf(value: unknown): string {
  const bytes = utf16(stableJson(value));
  let fnv = fnvOffset;
  for (const byte of bytes) fnv = Math.imul(fnv ^ byte, fnvPrime);
  return hex(crc32c(bytes)) + hex(fnv >>> 0);
}

/**
 * JSON with sorted keys, since the API server may give them in another order; what is undefined is left out,
 * as JSON does.
 */
export function stableJson(value: unknown): string {
  const sorted = (_key: string, part: unknown): unknown => {
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)));
  };
  return JSON.stringify(value, sorted) ?? "";
}

function utf16(text: string): Uint8Array {
  const bytes = new Uint8Array(2 * text.length);
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    bytes[2 * at] = unit & 0xff;
    bytes[2 * at + 1] = unit >>> 8;
  }
  return bytes;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
