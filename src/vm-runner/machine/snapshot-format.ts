/**
 * The `devices` part of a snapshot: everything but the memory. Version, v86's own device state, and
 * the state of ours; each with its length.
 */
import { ByteReader, ByteWriter } from "../../shared/bytes.ts";

export const snapshotVersion = 1;
const magic = 0x5344_534c; // "LSDS"

export interface DeviceStates {
  readonly v86: Uint8Array;
  readonly peripherals: Uint8Array;
}

export function encodeDevices(states: DeviceStates): Uint8Array {
  const writer = new ByteWriter(states.v86.length + states.peripherals.length + 64);
  writer.u32(magic);
  writer.varint(snapshotVersion);
  for (const part of [states.v86, states.peripherals]) {
    writer.varint(part.length);
    writer.bytes(part);
  }
  return writer.finish();
}

/** Throws when the bytes are not a whole devices part of this version. */
export function decodeDevices(bytes: Uint8Array): DeviceStates {
  const reader = new ByteReader(bytes);
  if (reader.u32() !== magic) throw new Error("the snapshot's devices do not begin as they must");
  const version = reader.varint();
  if (version !== snapshotVersion) {
    throw new Error(`the snapshot has version ${version}; this runner reads ${snapshotVersion}`);
  }
  const v86 = reader.bytes(reader.varint());
  const peripherals = reader.bytes(reader.varint());
  if (reader.remaining > 0) throw new Error(`the snapshot has ${reader.remaining} bytes too many`);
  return { v86, peripherals };
}
