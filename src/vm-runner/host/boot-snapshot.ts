/**
 * Booting takes many seconds, and every VM of one guest boots alike until it gets its start input.
 * So one boot is kept, and every VM starts from there with its own seed, MAC and clock in entry 0.
 * An image brings the boot of its guest; whichever computer booted it, all can go on from there.
 */
import path from "node:path";
import { Worker } from "node:worker_threads";
import { cacheDirectory, canKeepIn } from "../../platform/cache-directory.ts";
import type { MachineImages } from "../machine/images.ts";
import { BootSnapshotFileError, checkBootSnapshot } from "./boot-snapshot-file.ts";
import type { BootMessage, BootWorkerData } from "./boot-worker.ts";
import type { MachineFingerprint } from "./fingerprint.ts";

export interface BootSnapshotOptions {
  readonly images: MachineImages;
  /** v86.wasm, compiled; asked for only if the guest must be booted. */
  readonly compile: () => Promise<WebAssembly.Module>;
  readonly fingerprint: MachineFingerprint;
  /** Told what takes so long. */
  readonly onProgress: (text: string) => void;
}

export interface BootSnapshot {
  readonly file: string;
  /** Of the whole state in it. */
  readonly sha256: string;
}

/** The guest could not be booted to the point where it asks for its personality. */
export class BootError extends Error {
  override readonly name = "BootError";
}

/**
 * The snapshot of this guest, made first where there is none that is whole. Null: there is none, and
 * none can be kept, as in a container whose file system is read-only; a boot that serves one VM alone
 * is better done by that VM.
 * @throws BootError
 */
export async function bootSnapshot(options: BootSnapshotOptions): Promise<BootSnapshot | null> {
  const directory = path.join(cacheDirectory(), "boot");
  const file = path.join(directory, `${options.fingerprint.stateHash}.snapshot`);
  const found = await check(file);
  if (found !== null) return found;
  if (!(await canKeepIn(directory))) {
    options.onProgress(`no boot of this guest is kept in ${directory}, so it boots as it runs`);
    return null;
  }
  options.onProgress("booting the guest for the first time; later starts take a second");
  await boot(file, options);
  return await read(file);
}

/** Null for one that is not there or is damaged: it is made again. */
async function check(file: string): Promise<BootSnapshot | null> {
  try {
    return await read(file);
  } catch (error) {
    if (error instanceof BootSnapshotFileError) return null;
    throw error;
  }
}

async function read(file: string): Promise<BootSnapshot> {
  const { stateSha256 } = await checkBootSnapshot(file);
  return { file, sha256: stateSha256 };
}

async function boot(file: string, options: BootSnapshotOptions): Promise<void> {
  const { images, compile, onProgress } = options;
  const data: BootWorkerData = { images, compiled: await compile(), file };
  const worker = new Worker(new URL("./boot-worker.js", import.meta.url), { workerData: data });
  return new Promise((resolve, reject) => {
    const fail = (reason: string) => reject(new BootError(`the guest does not boot: ${reason}`));
    worker.on("message", (message: BootMessage) => {
      switch (message.kind) {
        case "progress":
          onProgress(`booting: the guest's clock is at ${Math.floor(message.bootedUs / 1e6)} s`);
          return;
        case "failed":
          fail(message.message);
          return;
        case "saved":
          resolve();
          return;
      }
    });
    worker.once("error", (error) => fail(String(error)));
    worker.once("exit", (code) => fail(`its thread ended with code ${code}`));
  });
}
