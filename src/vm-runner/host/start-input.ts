/** What makes a VM itself, on its first start (replay/log-entry.ts): made once, then in the log. */
import { randomBytes } from "node:crypto";
import type { StartInput } from "../replay/log-entry.ts";

export function startInput(): StartInput {
  return { kind: "start", seed: randomBytes(32), mac: localMac(), wallClockMs: Date.now() };
}

/** A random address, marked as locally administered and for one receiver (IEEE 802, 8.2.2). */
function localMac(): Uint8Array {
  const mac = randomBytes(6);
  mac[0] = ((mac[0] ?? 0) & 0xfc) | 0x02;
  return mac;
}
