import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { crc32c } from "./crc32c.ts";

// RFC 3720, appendix B.4.
test.each([
  ["nothing", [], 0],
  ["32 zeroes", Array(32).fill(0), 0x8a91_36aa],
  ["32 times 255", Array(32).fill(255), 0x62a8_ab43],
  ["0 to 31", Array.from({ length: 32 }, (_, i) => i), 0x46dd_794e],
])("the checksum of %s is that of the standard", (_name, bytes, checksum) => {
  expect(crc32c(Uint8Array.from(bytes))).toBe(checksum);
});

test("wherever the bytes are parted, the checksum is that of each bit by itself", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (bytes, cut) => {
      const at = bytes.length === 0 ? 0 : cut % bytes.length;
      const parted = crc32c(bytes.subarray(at), crc32c(bytes.subarray(0, at)));
      expect(parted).toBe(bitwise(bytes));
      expect(crc32c(bytes)).toBe(bitwise(bytes));
    }),
  );
});

/** The definition. */
function bitwise(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
