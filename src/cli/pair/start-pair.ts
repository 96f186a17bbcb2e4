/** Brings a pair up from nothing: the name, the key, the arbiter, the record, the two runners. */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { exitCodes } from "../../platform/exit-codes.ts";
import { createKeyFile } from "../../platform/key-file.ts";
import { ArbiterClient } from "../../storage-arbiter/record/arbiter-client.ts";
import { CommandError } from "../command-error.ts";
import { ArbiterProcess } from "./arbiter-process.ts";
import type { PairEvent, PairView } from "./events.ts";
import { freePort } from "./free-port.ts";
import { type HalfAddresses, Pair } from "./pair.ts";
import { claimName, type StateFiles, stateFiles } from "./state-directory.ts";

export interface StartOptions {
  readonly name: string;
  /** As `lockstep runner --guest` takes it. */
  readonly guest: string;
  readonly memoryMiB: number;
  /** How often the runners are asked for their status. */
  readonly lookIntervalMs: number;
  readonly onEvent: (event: PairEvent) => void;
  readonly onView: (view: PairView) => void;
}

export interface StartedPair {
  readonly pair: Pair;
  /** After the pair's end; `keepLogs` leaves what the processes logged. */
  clean(keepLogs: boolean): void;
}

/** Ports are chosen before they are used, so another program may take one in between. */
const startTries = 3;

/** @throws CommandError; nothing is left then. */
export async function startPair(options: StartOptions): Promise<StartedPair> {
  const claim = await claimName(options.name);
  const files = stateFiles(options.name);
  const clean = (keepLogs: boolean) => {
    const leftovers = keepLogs ? [files.key, files.entry, files.records] : [files.directory];
    for (const leftover of leftovers) rmSync(leftover, { recursive: true, force: true });
    claim.release();
  };
  try {
    const key = createKeyFile(files.key);
    for (let attempt = 1; ; attempt++) {
      const pair = await preparePair(options, files, key);
      if (await pair.start()) return { pair, clean };
      await pair.close();
      const { code, reason } = pair.failedStart;
      if (code === exitCodes.addressInUse && attempt < startTries) continue;
      throw new CommandError(code ?? exitCodes.failure, `the pair did not start: ${reason}`);
    }
  } catch (error) {
    clean(false);
    throw error;
  }
}

async function preparePair(
  options: StartOptions,
  files: StateFiles,
  key: Uint8Array,
): Promise<Pair> {
  const vm = randomUUID();
  const { name, guest, memoryMiB, lookIntervalMs, onEvent, onView } = options;
  const arbiter = new ArbiterProcess(files, vm, onEvent);
  await arbiter.start();
  const { host, port } = arbiter.address;
  const records = new ArbiterClient({ host, port, vm, key, timeoutMs: 10_000 });
  const created = await records.apply({ kind: "create", vm });
  if (created.kind !== "granted") {
    records.close();
    await arbiter.stop();
    const why = created.kind === "refused" ? created.reason : created.message;
    throw new CommandError(exitCodes.failure, `the VM's record cannot be created: ${why}`);
  }
  const runnerArgs = ["--vm", vm, "--name", name, "--guest", guest, "--exit-with-parent"];
  runnerArgs.push(
    "--memory",
    String(memoryMiB),
    "--key",
    files.key,
    "--arbiter",
    `${host}:${port}`,
  );
  const addresses = [await halfAddresses(), await halfAddresses()] as const;
  return new Pair({
    ...{ name, vm, key, files, arbiter, records, addresses, runnerArgs, lookIntervalMs },
    ...{ onEvent, onView },
  });
}

async function halfAddresses(): Promise<HalfAddresses> {
  const host = "127.0.0.1";
  return { channel: { host, port: await freePort() }, http: { host, port: await freePort() } };
}
