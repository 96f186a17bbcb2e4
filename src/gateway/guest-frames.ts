/**
 * Frames of the guest that must not reach gvproxy. It serves the interface by which ports are
 * published to its guests too, at port 80 of the gateway's address, and cannot be told not to: any
 * user of the guest could open ports, and make and remove sockets, on the computer that runs the
 * gateway. It leads one address of the guest's network to the loopback of the computer that it runs
 * on. And it connects to the address that a packet names; that it drops those that mean "this
 * computer" is not relied on.
 */

/** The guest's network, as gvproxy makes it. */
export const guestNetwork = {
  gatewayIp: "192.168.127.1",
  guestIp: "192.168.127.2",
  /** Leads to the loopback of the computer that runs gvproxy. */
  hostIp: "192.168.127.254",
} as const;

const etherTypeAt = 12;
const ipAt = 14;
const ipHeaderBytesMin = 20;
const ipv4 = 0x0800;
const tcp = 6;
const controlPort = 80;
const gatewayAddress = guestNetwork.gatewayIp.split(".").map(Number);
const hostAddress = guestNetwork.hostIp.split(".").map(Number);

/** Is this a frame that the network behind must not see? */
export function isForbidden(frame: Uint8Array): boolean {
  if (frame.length < ipAt + ipHeaderBytesMin || u16(frame, etherTypeAt) !== ipv4) return false;
  const to = frame.subarray(ipAt + 16, ipAt + 20);
  if (to[0] === 0 || to[0] === 127) return true;
  if (isSame(to, hostAddress)) return true;
  return isSame(to, gatewayAddress) && frame[ipAt + 9] === tcp && mayBeControl(frame);
}

function isSame(address: Uint8Array, other: readonly number[]): boolean {
  return other.every((byte, i) => byte === address[i]);
}

/** A piece of a packet need not show its port: pieces are refused. */
function mayBeControl(frame: Uint8Array): boolean {
  const isPiece = (u16(frame, ipAt + 6) & 0x3fff) !== 0;
  const tcpAt = ipAt + 4 * ((frame[ipAt] ?? 0) & 0x0f);
  return isPiece || frame.length < tcpAt + 4 || u16(frame, tcpAt + 2) === controlPort;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}

const synAndAck = 0x12;
const reset = 0x04;

/**
 * What the guest's frame says of one of its TCP ports: a program accepts connections there, none
 * does, or (null) nothing.
 */
export function answerOfPort(frame: Uint8Array, port: number): "accepts" | "refuses" | null {
  if (frame.length < ipAt + ipHeaderBytesMin || u16(frame, etherTypeAt) !== ipv4) return null;
  if (frame[ipAt + 9] !== tcp || (u16(frame, ipAt + 6) & 0x3fff) !== 0) return null;
  const tcpAt = ipAt + 4 * ((frame[ipAt] ?? 0) & 0x0f);
  const flags = frame[tcpAt + 13];
  if (flags === undefined || u16(frame, tcpAt) !== port) return null;
  if ((flags & reset) !== 0) return "refuses";
  return (flags & synAndAck) === synAndAck ? "accepts" : null;
}
