import { expect, test } from "@jest/globals";
import { answerOfPort, isForbidden } from "./guest-frames.ts";

const tcp = 6;
const udp = 17;

interface Packet {
  readonly to?: readonly number[];
  readonly protocol?: number;
  readonly fromPort?: number;
  readonly toPort?: number;
  readonly flags?: number;
  /** The field with the flags and the offset of a piece. */
  readonly piece?: number;
  readonly options?: number;
  readonly etherType?: number;
  readonly bytes?: number;
}

function frameOf(packet: Packet): Uint8Array {
  const { to = [192, 168, 127, 1], protocol = tcp, fromPort = 80, toPort = 80 } = packet;
  const { flags = 0x12, piece = 0, options = 0, etherType = 0x0800, bytes } = packet;
  const frame = new Uint8Array(14 + 20 + options + 20);
  const view = new DataView(frame.buffer);
  view.setUint16(12, etherType);
  frame[14] = 0x45 + options / 4;
  view.setUint16(20, piece);
  frame[23] = protocol;
  frame.set(to, 30);
  view.setUint16(34 + options, fromPort);
  view.setUint16(36 + options, toPort);
  frame[47 + options] = flags;
  return frame.subarray(0, bytes ?? frame.length);
}

const cases: [string, Packet, boolean][] = [
  ["gvproxy's own interface", {}, true],
  ["it, behind options of the header", { options: 8 }, true],
  ["it, in a piece that shows no port", { piece: 0x2000, toPort: 1 }, true],
  ["it, in a later piece", { piece: 0x0003, toPort: 1 }, true],
  ["it, in a packet that ends before its port", { bytes: 34 }, true],
  ["loopback", { to: [127, 0, 0, 1], protocol: udp }, true],
  ["the address that gvproxy leads to loopback", { to: [192, 168, 127, 254], toPort: 22 }, true],
  ["loopback under another name", { to: [127, 255, 1, 1] }, true],
  ["the address that Linux takes for loopback", { to: [0, 0, 0, 0] }, true],
  ["the gateway's name service", { protocol: udp, toPort: 53 }, false],
  ["the gateway's name service over TCP", { toPort: 53 }, false],
  ["a web server", { to: [192, 0, 2, 1] }, false],
  ["a web server, not to be cut in pieces", { to: [192, 0, 2, 1], piece: 0x4000 }, false],
  ["the gateway's name service, not to be cut", { toPort: 53, piece: 0x4000 }, false],
  ["everybody, as a DHCP request", { to: [255, 255, 255, 255], protocol: udp }, false],
  ["something that is no IPv4", { etherType: 0x0806, to: [127, 0, 0, 1] }, false],
  ["a frame too short for anything", { bytes: 14 }, false],
];

test.each(cases)("a packet to %s is judged", (_, packet, forbidden) => {
  expect(isForbidden(frameOf(packet))).toBe(forbidden);
});

const answers: [string, Packet, string | null][] = [
  ["an accepted connection", {}, "accepts"],
  ["an accepted connection behind options", { options: 4 }, "accepts"],
  ["a refused connection", { flags: 0x14 }, "refuses"],
  ["a connection that the guest opens", { flags: 0x02 }, null],
  ["a connection that goes on", { flags: 0x10 }, null],
  ["another port", { fromPort: 81 }, null],
  ["a datagram", { protocol: udp }, null],
  ["a piece", { piece: 1 }, null],
  ["a packet that ends before its flags", { bytes: 46 }, null],
  ["something that is no IPv4", { etherType: 0x86dd }, null],
];

test.each(answers)("%s tells what it tells of a port", (_, packet, answer) => {
  expect(answerOfPort(frameOf(packet), 80)).toBe(answer);
});
