/** Where a simulated machine is put together from a snapshot. */
import type { SnapshotTarget } from "../../../src/vm-runner/machine/machine.ts";
import { type MachineOptions, SimulatedMachine } from "./machine.ts";

/** Where snapshots are received; `onMachine` is given each machine made of one. */
export function newTarget(
  options: Partial<MachineOptions> = {},
  onMachine: (machine: SimulatedMachine) => void = () => {},
): (memoryBytes: number) => Promise<SnapshotTarget> {
  return async (memoryBytes) => {
    await options.ready?.();
    const memory = new Uint8Array(memoryBytes);
    return {
      write: (offset, bytes) => memory.set(bytes, offset),
      finish: async (devices) => {
        const machine = SimulatedMachine.restored(options, memory, devices);
        onMachine(machine);
        return machine;
      },
    };
  };
}
