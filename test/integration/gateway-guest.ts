/**
 * A guest of a few packets: answers ARP for its address, says back what comes by UDP with its name
 * in front, and accepts or refuses TCP connections on one port. It is what a fake runner runs.
 */
import { guestNetwork } from "../../src/gateway/guest-frames.ts";

const mac = Uint8Array.of(2, 0, 0, 0, 0, 2);
const own = bytesOfIp(guestNetwork.guestIp);
const etherTypes = { ipv4: 0x0800, arp: 0x0806 };
const protocols = { tcp: 6, udp: 17 };
const syn = 0x02;
const reset = 0x04;
const ack = 0x10;

export class FakeGuest {
  readonly name: string;
  /** The TCP port on which it accepts connections. */
  listens: number | null = null;
  readonly datagrams: string[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /** What it answers to a frame; null: nothing. */
  answer(frame: Uint8Array): Uint8Array | null {
    const packet = frame.subarray(14);
    switch (u16(frame, 12)) {
      case etherTypes.arp:
        return this.#answerArp(frame, packet);
      case etherTypes.ipv4:
        return this.#answerIp(frame, packet);
      default:
        return null;
    }
  }

  #answerArp(frame: Uint8Array, arp: Uint8Array): Uint8Array | null {
    const isForUs = u16(arp, 6) === 1 && equal(arp.subarray(24, 28), own);
    if (!isForUs) return null;
    const reply = arp.slice(0, 28);
    reply[7] = 2;
    reply.set(arp.subarray(8, 18), 18);
    reply.set(mac, 8);
    reply.set(own, 14);
    return ethernet(frame.subarray(6, 12), etherTypes.arp, reply);
  }

  #answerIp(frame: Uint8Array, ip: Uint8Array): Uint8Array | null {
    if (!equal(ip.subarray(16, 20), own)) return null;
    const payload = ip.subarray(4 * ((ip[0] ?? 0) & 0x0f), u16(ip, 2));
    const back = { toMac: frame.subarray(6, 12), toIp: ip.subarray(12, 16) };
    if (ip[9] === protocols.udp) return this.#answerUdp(payload, back);
    return ip[9] === protocols.tcp ? this.#answerTcp(payload, back) : null;
  }

  #answerUdp(udp: Uint8Array, back: Back): Uint8Array {
    const text = new TextDecoder().decode(udp.subarray(8));
    this.datagrams.push(text);
    return udpFrame(back, u16(udp, 2), u16(udp, 0), `${this.name}:${text}`);
  }

  #answerTcp(tcp: Uint8Array, back: Back): Uint8Array | null {
    const flags = tcp[13] ?? 0;
    if ((flags & syn) === 0 || (flags & ack) !== 0) return null;
    const accepts = u16(tcp, 2) === this.listens;
    const header = new Uint8Array(20);
    const view = new DataView(header.buffer);
    view.setUint16(0, u16(tcp, 2));
    view.setUint16(2, u16(tcp, 0));
    view.setUint32(4, accepts ? 1_000 : 0);
    view.setUint32(8, (new DataView(tcp.buffer, tcp.byteOffset).getUint32(4) + 1) >>> 0);
    header[12] = 0x50;
    header[13] = ack | (accepts ? syn : reset);
    view.setUint16(14, 8_192);
    view.setUint16(16, transportChecksum(header, back.toIp, protocols.tcp));
    return ipFrame(back, protocols.tcp, header);
  }
}

/** Where a packet of the guest goes. */
interface Back {
  readonly toMac: Uint8Array;
  readonly toIp: Uint8Array;
}

/** The address that gvproxy's side of the network has on the wire. */
const gatewayMac = Uint8Array.of(0x5a, 0x94, 0xef, 0xe4, 0x0c, 0xdd);

/** A datagram of the guest to somebody. */
export function datagramTo(ip: string, port: number, text: string): Uint8Array {
  return udpFrame({ toMac: gatewayMac, toIp: bytesOfIp(ip) }, 4_000, port, text);
}

/** The first packet of a TCP connection from the guest to somebody. */
export function synTo(ip: string, port: number): Uint8Array {
  const toIp = bytesOfIp(ip);
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint16(0, 4_001);
  view.setUint16(2, port);
  view.setUint32(4, 77);
  header[12] = 0x50;
  header[13] = syn;
  view.setUint16(14, 8_192);
  view.setUint16(16, transportChecksum(header, toIp, protocols.tcp));
  return ipFrame({ toMac: gatewayMac, toIp }, protocols.tcp, header);
}

function udpFrame(to: Back, fromPort: number, toPort: number, text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text);
  const udp = new Uint8Array(8 + bytes.length);
  const view = new DataView(udp.buffer);
  view.setUint16(0, fromPort);
  view.setUint16(2, toPort);
  view.setUint16(4, udp.length);
  udp.set(bytes, 8);
  view.setUint16(6, transportChecksum(udp, to.toIp, protocols.udp));
  return ipFrame(to, protocols.udp, udp);
}

function ipFrame({ toMac, toIp }: Back, protocol: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(20 + payload.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x45;
  view.setUint16(2, packet.length);
  packet[8] = 64;
  packet[9] = protocol;
  packet.set(own, 12);
  packet.set(toIp, 16);
  view.setUint16(10, checksum(packet.subarray(0, 20)));
  packet.set(payload, 20);
  return ethernet(toMac, etherTypes.ipv4, packet);
}

function ethernet(toMac: Uint8Array, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(14 + payload.length);
  frame.set(toMac, 0);
  frame.set(mac, 6);
  new DataView(frame.buffer).setUint16(12, type);
  frame.set(payload, 14);
  return frame;
}

/** Of a segment with zeros where the checksum will be. */
function transportChecksum(segment: Uint8Array, toIp: Uint8Array, protocol: number): number {
  const pseudo = new Uint8Array(12 + segment.length);
  pseudo.set(own, 0);
  pseudo.set(toIp, 4);
  pseudo[9] = protocol;
  new DataView(pseudo.buffer).setUint16(10, segment.length);
  pseudo.set(segment, 12);
  return checksum(pseudo);
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += u16(bytes, at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

function bytesOfIp(ip: string): Uint8Array {
  return Uint8Array.from(ip.split(".").map(Number));
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0);
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
