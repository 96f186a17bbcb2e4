/**
 * Boots a guest until it asks for its personality, and saves it there. It is a thread of its own,
 * because the machine replaces the thread's clock. Virtual time does not follow real time here, so
 * that the same files always give the same snapshot, as fast as this computer can.
 */
import { parentPort, workerData } from "node:worker_threads";
import type { MachineImages } from "../machine/images.ts";
import type { Machine, StepResult } from "../machine/machine.ts";
import { saveBootSnapshot } from "./boot-snapshot-file.ts";
import { createMachine } from "./machine-factory.ts";

export interface BootWorkerData {
  readonly images: MachineImages;
  readonly compiled: WebAssembly.Module;
  readonly file: string;
}

/** What the worker posts. */
export type BootMessage =
  | { readonly kind: "progress"; readonly bootedUs: number }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "saved" };

/** Virtual time of a step that does not sleep. */
const stepUs = 250;
/** Virtual time after which a guest that asked for nothing never will. */
const bootUsMax = 180_000_000;
const progressUs = 1_000_000;

async function bootAndSave({ images, compiled, file }: BootWorkerData): Promise<BootMessage> {
  const machine = await createMachine(images, compiled);
  const timeUs = boot(machine);
  if (timeUs === null) {
    return { kind: "failed", message: `it asked for no personality in ${bootUsMax / 1e6} s` };
  }
  await machine.prepareSpare();
  const source = await machine.move();
  const memory = source.read(0, source.memoryBytes);
  await saveBootSnapshot(file, { memory, devices: source.devices, timeUs });
  return { kind: "saved" };
}

/** Runs steps until the guest asks; its clock then, or null when it never does. */
function boot(machine: Machine): number | null {
  let timeUs = 0;
  let reportedUs = 0;
  for (let index = 0; timeUs < bootUsMax; index++) {
    const result = machine.step({ index, timeUs, inputs: [] });
    if (result.poweredOff) return null;
    timeUs = nextTime(timeUs, result);
    if (machine.awaitsPersonality) return timeUs;
    if (timeUs - reportedUs >= progressUs) {
      reportedUs = timeUs;
      post({ kind: "progress", bootedUs: timeUs });
    }
  }
  return null;
}

function nextTime(timeUs: number, { idle, wakeUs, endUs }: StepResult): number {
  return Math.max(Math.ceil(endUs), timeUs + (idle ? Math.ceil(wakeUs) : stepUs));
}

function post(message: BootMessage): void {
  parentPort?.postMessage(message);
}

if (parentPort !== null) {
  // SAFETY: boot-snapshot.ts starts this worker with exactly this.
  bootAndSave(workerData as BootWorkerData).then(post, (error: unknown) => {
    post({ kind: "failed", message: error instanceof Error ? error.message : String(error) });
  });
}
