/**
 * The I/O thread's handle of the VM thread: commands go in, events come out, both in order. The
 * worker sleeps in `Atomics.wait` on a count of commands, so that a command wakes it at once.
 */
import { Worker } from "node:worker_threads";
import type { MachineImages } from "../machine/images.ts";
import type { ExecutorCommand, ExecutorEvent } from "../replay/executor-protocol.ts";

/** What the machine is made from. */
export type MachineOrigin =
  /** Switched on: nothing has run. */
  | { readonly kind: "powerOn" }
  /** A booted guest that waits for its start input (boot-snapshot.ts). */
  | { readonly kind: "bootSnapshot"; readonly file: string }
  /** Nothing yet: the state comes with a state transfer. */
  | { readonly kind: "transfer" };

export interface VmThreadOptions {
  readonly images: MachineImages;
  /** v86.wasm, compiled once per process (machine-factory.ts). */
  readonly compiled: WebAssembly.Module;
  readonly origin: MachineOrigin;
  /**
   * Called with all that the executor said in one turn. The last event ever is `trapped` when the
   * thread ended without being told to.
   */
  readonly onEvents: (events: readonly ExecutorEvent[]) => void;
}

export interface VmWorkerData {
  readonly images: MachineImages;
  readonly compiled: WebAssembly.Module;
  readonly origin: MachineOrigin;
  /** One 32-bit count of the commands posted. */
  readonly commands: SharedArrayBuffer;
}

export interface VmThread {
  command(command: ExecutorCommand): void;
  /** Ends the thread; no event comes afterwards. */
  terminate(): Promise<void>;
}

/** Starts a VM thread; its first event is `ready`. */
export function startVmThread(options: VmThreadOptions): VmThread {
  const { images, compiled, origin, onEvents } = options;
  const commands = new Int32Array(new SharedArrayBuffer(4));
  const data: VmWorkerData = { images, compiled, origin, commands: commands.buffer };
  const worker = new Worker(new URL("./vm-worker.js", import.meta.url), { workerData: data });
  let over = false;
  const fail = (message: string) => {
    if (over) return;
    over = true;
    onEvents([{ kind: "trapped", index: 0, message }]);
  };
  worker.on("message", (events: readonly ExecutorEvent[]) => {
    if (over) return;
    if (events.some(({ kind }) => kind === "trapped")) over = true;
    onEvents(events);
  });
  worker.on("error", (error) => fail(`the VM thread failed: ${String(error)}`));
  worker.on("exit", (code) => fail(`the VM thread ended with code ${code}`));
  return {
    command(command) {
      worker.postMessage(command);
      Atomics.add(commands, 0, 1);
      Atomics.notify(commands, 0);
    },
    async terminate() {
      over = true;
      await worker.terminate();
    },
  };
}
