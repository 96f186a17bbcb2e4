/**
 * "The guest is here now": the frame by which a new primary tells the network behind the gateway
 * where the guest's address is. The address is learned from what the guest itself sends.
 */

/** By which addresses the guest is known. */
export interface GuestAddress {
  readonly mac: Uint8Array;
  readonly ipv4: Uint8Array;
}

const macBytes = 6;
const etherTypeAt = 12;
const payloadAt = 14;
const etherTypes = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035 } as const;
/** Ethernet, IPv4, and the lengths of their addresses (RFC 826). */
const arpPreamble = Uint8Array.of(0, 1, 8, 0, 6, 4);
const arpSenderAt = payloadAt + 8;
const arpBytes = 28;
const ipv4SourceAt = payloadAt + 12;
const ipv4HeaderBytes = 20;
/** The shortest frame on a real Ethernet, without its checksum. */
const announcementBytes = 60;
const arpRequest = 1;
const rarpRequest = 3;
const unknownIpv4 = Uint8Array.of(0, 0, 0, 0);

/**
 * The addresses after the guest has sent `frame`: those of the last ARP packet that it sent for
 * itself, or else the source of the first IPv4 packet.
 */
export function learnAddress(known: GuestAddress | null, frame: Uint8Array): GuestAddress | null {
  const mac = frame.subarray(macBytes, 2 * macBytes);
  const etherType = wordAt(frame, etherTypeAt);
  let ipv4: Uint8Array | null = null;
  if (etherType === etherTypes.arp) ipv4 = arpSender(frame, mac);
  else if (etherType === etherTypes.ipv4 && known === null) ipv4 = ipv4Source(frame);
  if (ipv4 === null || ipv4.every((byte) => byte === 0)) return known;
  return { mac: mac.slice(), ipv4: ipv4.slice() };
}

/**
 * Gratuitous ARP (RFC 5227, section 1.1): a request whose sender and target are the guest. While
 * the guest's address is not known: a RARP request, as QEMU sends after a migration.
 */
export function announcementOf(cardMac: Uint8Array, address: GuestAddress | null): Uint8Array {
  const mac = address?.mac ?? cardMac;
  const ipv4 = address?.ipv4 ?? unknownIpv4;
  const frame = new Uint8Array(announcementBytes);
  frame.fill(0xff, 0, macBytes);
  frame.set(mac, macBytes);
  const [etherType, operation] =
    address === null ? [etherTypes.rarp, rarpRequest] : [etherTypes.arp, arpRequest];
  frame.set([etherType >> 8, etherType & 0xff], etherTypeAt);
  frame.set(arpPreamble, payloadAt);
  frame[payloadAt + 7] = operation;
  frame.set(mac, arpSenderAt);
  frame.set(ipv4, arpSenderAt + macBytes);
  // A request for an address leaves the hardware address that it asks for empty.
  if (address === null) frame.set(mac, arpSenderAt + macBytes + 4);
  frame.set(ipv4, arpSenderAt + 2 * macBytes + 4);
  return frame;
}

/** null when it is not for IPv4 on Ethernet, or speaks for somebody else. */
function arpSender(frame: Uint8Array, mac: Uint8Array): Uint8Array | null {
  if (frame.length < payloadAt + arpBytes) return null;
  const isPlain = arpPreamble.every((byte, i) => frame[payloadAt + i] === byte);
  const isOwn = mac.every((byte, i) => frame[arpSenderAt + i] === byte);
  if (!isPlain || !isOwn) return null;
  return frame.subarray(arpSenderAt + macBytes, arpSenderAt + macBytes + 4);
}

function ipv4Source(frame: Uint8Array): Uint8Array | null {
  if (frame.length < payloadAt + ipv4HeaderBytes) return null;
  return frame.subarray(ipv4SourceAt, ipv4SourceAt + 4);
}

/** A big-endian word; NaN behind the end. */
function wordAt(frame: Uint8Array, at: number): number {
  return (frame[at] ?? Number.NaN) * 256 + (frame[at + 1] ?? Number.NaN);
}
