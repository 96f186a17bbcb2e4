/** Ethernet frames, as every part of their way agrees on them. */
import { frameBytesMax, frameBytesMin } from "./limits.ts";

/** Neither too short nor too long to be a frame; whoever meets another drops and counts it. */
export function isFrame({ length }: Uint8Array): boolean {
  return length >= frameBytesMin && length <= frameBytesMax;
}
