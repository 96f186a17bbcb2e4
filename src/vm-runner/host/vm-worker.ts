/**
 * The VM's own thread: polls for commands, lets the executor take its turn, posts what it says,
 * and sleeps until there is something to do. It is synchronous, because the machine's globals have
 * no real clock and its steps must not wait for anything; the event loop turns only when the
 * executor asks for it. Started by vm-thread.ts, from built code only.
 */
import { createHash } from "node:crypto";
import {
  type MessagePort,
  parentPort,
  receiveMessageOnPort,
  type Transferable,
  workerData,
} from "node:worker_threads";
import { fullCollector } from "../../platform/garbage-collection.ts";
import { assert } from "../../shared/assert.ts";
import { bytesIn } from "../../shared/bytes.ts";
import type { Machine } from "../machine/machine.ts";
import { describe, type Next } from "../replay/execution.ts";
import { Executor, type ExecutorParts } from "../replay/executor.ts";
import type { ExecutorCommand, ExecutorEvent } from "../replay/executor-protocol.ts";
import { checkBootSnapshot, loadBootSnapshot } from "./boot-snapshot-file.ts";
import { createMachine, createTarget } from "./machine-factory.ts";
import type { VmWorkerData } from "./vm-thread.ts";

// The machine replaces these for good when it is created.
const realPerformance = performance;
const clock = realPerformance.now.bind(realPerformance);
const realSetTimeout = setTimeout;
const realSetImmediate = setImmediate;

/** The longest that a command may wait for a loop that turns the event loop. */
const yieldMsMax = 1;

async function main(port: MessagePort, data: VmWorkerData): Promise<void> {
  const commands = new Int32Array(data.commands);
  const collect = fullCollector();
  const executor = new Executor(await makeParts(data));
  let taken = 0;
  for (;;) {
    let letGo = false;
    for (const sent = Atomics.load(commands, 0); taken !== sent; taken = (taken + 1) | 0) {
      const command = receive(port);
      executor.command(command);
      letGo ||= command.kind === "releaseSnapshot";
    }
    const { events, next } = turn(executor);
    if (events.length > 0) port.postMessage(events, buffersOf(events));
    if (letGo || events.some(leavesMemory)) collect();
    if (next.kind === "sleep") Atomics.wait(commands, 0, taken, next.us / 1000);
    else if (next.kind !== "run") await eventLoop(next);
  }
}

/** What was read or received to make a machine is as large as the guest's memory, and dead now. */
function leavesMemory({ kind }: ExecutorEvent): boolean {
  return kind === "ready" || kind === "restored";
}

/** A broken invariant ends the machine like a trap: the state cannot be trusted. */
function turn(executor: Executor) {
  try {
    return executor.turn(Math.floor(clock() * 1000));
  } catch (error) {
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    throw new StepError(executor.next, message);
  }
}

/** Where the executor was when it failed. */
class StepError extends Error {
  readonly index: number;

  constructor(index: number, message: string) {
    super(message);
    this.index = index;
  }
}

function receive(port: MessagePort): ExecutorCommand {
  const received = receiveMessageOnPort(port);
  assert(received !== undefined, "a command was counted and did not come");
  // SAFETY: only vm-thread.ts posts to this port, and it posts commands.
  return received.message as ExecutorCommand;
}

async function eventLoop(next: Next & { kind: "await" | "yield" }): Promise<void> {
  if (next.kind === "await") await next.promise;
  else if (next.us < 1000) await new Promise((resolve) => realSetImmediate(resolve));
  else await new Promise((resolve) => realSetTimeout(resolve, yieldMsMax));
}

/**
 * Buffers that nobody here reads again: they move to the other thread and are not copied. Frames
 * are: to move dozens of small buffers takes twice as long as to copy them.
 */
function buffersOf(events: readonly ExecutorEvent[]): Transferable[] {
  return events.flatMap((event) => {
    if (event.kind === "recorded") return ownBuffer(event.batch.bytes);
    if (event.kind === "snapshotChunk") return ownBuffer(event.bytes);
    if (event.kind === "output" && event.output.kind === "egress") {
      return sharedBuffer(event.output.frames);
    }
    return [];
  });
}

function ownBuffer({ buffer, byteLength }: Uint8Array): Transferable[] {
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? [buffer] : [];
}

/** The frames of a step: 43 long ones move in 16 µs; cloned, each with a buffer of its own, in 71. */
function sharedBuffer(frames: readonly Uint8Array[]): Transferable[] {
  const buffer = frames[0]?.buffer;
  const bytes = bytesIn(frames);
  const isShared = frames.every((frame) => frame.buffer === buffer);
  return buffer instanceof ArrayBuffer && isShared && buffer.byteLength === bytes ? [buffer] : [];
}

async function makeParts(data: VmWorkerData): Promise<ExecutorParts> {
  const { images, compiled } = data;
  return {
    ...(await makeMachine(data)),
    newTarget: (memoryBytes) => createTarget(images, compiled, memoryBytes),
    newHash: () => createHash("sha256"),
  };
}

/** The machine that this thread begins with, and its clock. */
async function makeMachine({
  images,
  compiled,
  origin,
}: VmWorkerData): Promise<{ machine: Machine | null; startUs: number }> {
  switch (origin.kind) {
    case "transfer":
      return { machine: null, startUs: 0 };
    case "powerOn":
      return { machine: await createMachine(images, compiled), startUs: 0 };
    case "bootSnapshot": {
      const { memoryBytes } = await checkBootSnapshot(origin.file);
      const target = await createTarget(images, compiled, memoryBytes);
      const { devices, timeUs } = await loadBootSnapshot(origin.file, (offset, bytes) =>
        target.write(offset, bytes),
      );
      return { machine: await target.finish(devices), startUs: timeUs };
    }
  }
}

if (parentPort !== null) {
  const port = parentPort;
  // SAFETY: vm-thread.ts starts this worker with exactly this.
  main(port, workerData as VmWorkerData).catch((error: unknown) => {
    const index = error instanceof StepError ? error.index : 0;
    const trapped: ExecutorEvent = { kind: "trapped", index, message: describe(error) };
    port.postMessage([trapped]);
  });
}
