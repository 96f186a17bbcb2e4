import { expect, test } from "@jest/globals";
import { announcementOf, type GuestAddress, learnAddress } from "./announcement.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hex = (value: Uint8Array) => Buffer.from(value).toString("hex");

const card = bytes("024c53010203");
const other = bytes("020000000009");
const guest: GuestAddress = { mac: card, ipv4: Uint8Array.of(192, 168, 127, 2) };
const padding = "00".repeat(18);

test("a guest whose address is known is announced by gratuitous ARP", () => {
  expect(hex(announcementOf(card, guest))).toBe(
    `ffffffffffff${"024c53010203"}0806${"0001080006040001"}` +
      `024c53010203c0a87f02${"000000000000"}c0a87f02${padding}`,
  );
});

test("a guest that has said nothing is announced by RARP", () => {
  expect(hex(announcementOf(card, null))).toBe(
    `ffffffffffff${"024c53010203"}8035${"0001080006040003"}` +
      `024c53010203${"00000000"}024c53010203${"00000000"}${padding}`,
  );
});

test("a guest that has given itself another address is announced with that one", () => {
  const announcement = announcementOf(card, { mac: other, ipv4: guest.ipv4 });
  expect(hex(announcement.subarray(6, 12))).toBe(hex(other));
  expect(hex(announcement.subarray(22, 28))).toBe(hex(other));
});

const arp = (sender: string, ipv4: string, preamble = "000108000604") =>
  bytes(`ffffffffffff 024c53010203 0806 ${preamble} 0001 ${sender} ${ipv4} 000000000000 c0a87f01`);
const ip = (source: string, etherType = "0800") =>
  bytes(`020000000001 024c53010203 ${etherType} 4500001400004000 40110000 ${source} c0a87f01`);

test.each<[string, GuestAddress | null, Uint8Array, string | null]>([
  ["an ARP packet for itself", null, arp("024c53010203", "c0a87f02"), "c0a87f02"],
  ["a later ARP packet", guest, arp("024c53010203", "0a000005"), "0a000005"],
  ["an ARP packet for somebody else", null, arp("020000000009", "c0a87f02"), null],
  ["an ARP probe, which has no address yet", null, arp("024c53010203", "00000000"), null],
  ["ARP of another network", null, arp("024c53010203", "c0a87f02", "000686dd0610"), null],
  ["an ARP packet that is cut off", null, arp("024c53010203", "c0a87f02").subarray(0, 41), null],
  ["a first IPv4 packet", null, ip("0a000007"), "0a000007"],
  ["an IPv4 packet when it is known", guest, ip("0a000007"), "c0a87f02"],
  ["a DHCP request, which has no address yet", null, ip("00000000"), null],
  ["an IPv4 packet that is cut off", null, ip("0a000007").subarray(0, 33), null],
  ["another protocol", null, ip("0a000007", "86dd"), null],
  ["the shortest frame", null, bytes("020000000001 024c53010203 0800"), null],
])("the address after %s", (_, known, frame, expected) => {
  const learned = learnAddress(known, frame);
  expect(learned && hex(learned.ipv4)).toBe(expected);
  if (learned !== null) expect(hex(learned.mac)).toBe(hex(card));
});
