/**
 * The frames of the simulated network: an Ethernet header and a line of text, which names what a
 * checker must know. Each frame that comes from outside has a serial number of its own, so that one
 * that is sent again is another one; each that the guest sends has the number that its card gave it.
 */
import { assert } from "../../../src/shared/assert.ts";

export type SimulatedFrame =
  /** From outside: the guest answers it. */
  | { readonly kind: "request"; readonly serial: number; readonly request: string }
  /** From outside: the guest takes note of it. */
  | { readonly kind: "noise"; readonly serial: number }
  /** From the guest. `request`: what it answers; null: nobody asked. */
  | {
      readonly kind: "sent";
      readonly number: number;
      readonly request: string | null;
      /** What else it says: it depends on the whole state of the guest. */
      readonly state: string;
    }
  /** Says where the guest is. */
  | { readonly kind: "announcement" };

/** Ethernet: to everybody, from the guest's card or somebody outside, an experimental protocol. */
const header = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 1, 0x88, 0xb5];

/** `length`: of the whole frame at least. */
export function encodeFrame(frame: SimulatedFrame, length = 0): Uint8Array {
  const text = textOf(frame);
  const bytes = new Uint8Array(Math.max(length, header.length + text.length));
  bytes.set(header);
  for (let i = 0; i < text.length; i++) bytes[header.length + i] = text.charCodeAt(i);
  return bytes;
}

export function decodeFrame(bytes: Uint8Array): SimulatedFrame {
  const [kind, number, request, state] = lineOf(bytes).split(" ");
  switch (kind) {
    case "request":
      return { kind, serial: Number(number), request: request ?? "" };
    case "noise":
      return { kind, serial: Number(number) };
    case "sent":
      return {
        ...{ kind, number: Number(number), state: state ?? "" },
        request: request === "-" ? null : (request ?? null),
      };
    case "announcement":
      return { kind };
    default:
      assert(false, `no frame of the simulated network: "${lineOf(bytes)}"`);
  }
}

/** What a person reads. */
export function lineOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0, header.length);
  return String.fromCharCode(...bytes.subarray(header.length, end === -1 ? bytes.length : end));
}

function textOf(frame: SimulatedFrame): string {
  switch (frame.kind) {
    case "request":
      return `request ${frame.serial} ${frame.request}`;
    case "noise":
      return `noise ${frame.serial}`;
    case "sent":
      return `sent ${frame.number} ${frame.request ?? "-"} ${frame.state}`;
    case "announcement":
      return "announcement";
  }
}
