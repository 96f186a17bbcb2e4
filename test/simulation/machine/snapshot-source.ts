/** The frozen state of a simulated machine, from which a snapshot is read. */
import { assert } from "../../../src/shared/assert.ts";
import type { SnapshotSource } from "../../../src/vm-runner/machine/machine.ts";

export function sourceOf(memory: Uint8Array, devices: Uint8Array): SnapshotSource {
  let released = false;
  return {
    devices,
    memoryBytes: memory.length,
    read: (offset, length) => {
      assert(!released, "a snapshot that was let go is not read");
      return memory.slice(offset, offset + length);
    },
    release: () => {
      released = true;
    },
  };
}
