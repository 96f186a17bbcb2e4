/**
 * The header in front of each frame in a buffer of virtio-net (virtio 1.2, section 5.1.6), and the
 * half of the checksum offload that is ours: the guest leaves the Internet checksum (RFC 1071) of
 * a TCP or UDP packet to the card, and need not verify that of a frame that it is given.
 */

/** Feature bits that this card offers, besides the address, the link's state and the MTU. */
export const features = { checksum: 1 << 0, guestChecksum: 1 << 1 } as const;

export const headerBytes = 12;
const needsChecksum = 1;
const dataValid = 2;
const gsoTypeOffset = 1;
const checksumStartOffset = 6;
const checksumOffsetOffset = 8;
const buffersOffset = 10;

/** What stands in front of a frame for a driver that has accepted `accepted` of `features`. */
export function receiveHeader(accepted: number): Uint8Array {
  const header = new Uint8Array(headerBytes);
  if ((accepted & features.guestChecksum) !== 0) header[0] = dataValid;
  header[buffersOffset] = 1;
  return header;
}

/**
 * The frame in what a driver sent, with its checksum complete (in place); null when header and
 * frame do not fit together.
 */
export function sentFrame(sent: Uint8Array): Uint8Array | null {
  if (sent.length < headerBytes || sent[gsoTypeOffset] !== 0) return null;
  const frame = sent.subarray(headerBytes);
  // SAFETY: the header is there.
  if (((sent[0] as number) & needsChecksum) === 0) return frame;
  const word = (at: number) => (sent[at] as number) | ((sent[at + 1] as number) << 8);
  const start = word(checksumStartOffset);
  return completeChecksum(frame, start, start + word(checksumOffsetOffset)) ? frame : null;
}

/**
 * Writes the checksum of everything from `start` on to `at`, where the sender has put that of the
 * pseudo header. A result of zero is written as 0xffff: in UDP zero says that there is none.
 */
function completeChecksum(frame: Uint8Array, start: number, at: number): boolean {
  if (at + 2 > frame.length) return false;
  let sum = 0;
  // SAFETY: i is below the length; a missing last byte counts as zero.
  for (let i = start; i < frame.length; i += 2) {
    sum += ((frame[i] as number) << 8) | (frame[i + 1] ?? 0);
  }
  // The longest frame has far fewer than 2^16 words, so two folds are enough.
  sum = (sum & 0xffff) + (sum >>> 16);
  sum = (sum & 0xffff) + (sum >>> 16);
  const checksum = ~sum & 0xffff || 0xffff;
  frame[at] = checksum >> 8;
  frame[at + 1] = checksum & 0xff;
  return true;
}
