/** The checksums of the CPU's state that a primary sends to its backup. */
import { crc32c } from "../../shared/crc32c.ts";
import type { RegisterChecks } from "./machine.ts";

/** v86 keeps the CPU's state at fixed places at the start of its memory (`global_pointers.rs`). */
const stateStart = 64;
const stateEnd = 1280;
const generalRegisters = 64;
const generalCount = 8;
const instructionPointer = 556;
const instructionCounter = 664;

/** `eflags` are the architectural ones: in memory v86 has them half computed. */
export function readRegisters(memory: Uint8Array, eflags: number, outputs: number): RegisterChecks {
  const view = new DataView(memory.buffer);
  const word = (offset: number) => view.getUint32(offset, true);
  const general = Array.from({ length: generalCount }, (_, i) => word(generalRegisters + 4 * i));
  const values = [...general, word(instructionPointer), eflags, word(instructionCounter), outputs];
  const outputsBytes = new Uint8Array(4);
  new DataView(outputsBytes.buffer).setUint32(0, outputs, true);
  const state = crc32c(memory.subarray(stateStart, stateEnd));
  return { all: crc32c(outputsBytes, state), folded: Uint8Array.from(values, fold) };
}

function fold(value: number): number {
  return (value ^ (value >>> 8) ^ (value >>> 16) ^ (value >>> 24)) & 0xff;
}
