/**
 * Brings a pair up from nothing: the name, the key, the arbiter, the record, the
 * gateway, the two runners.
 */
import { randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import type { PublishedPort } from "../../gateway/published-port.ts";
import { createKeyFile } from "../../platform/key-file.ts";
import { exitCodes } from "../../shared/exit-codes.ts";
import { ArbiterClient } from "../../storage-arbiter/record/arbiter-client.ts";
import { CommandError } from "../command-error.ts";
import type { ReadyCondition } from "../ready-condition.ts";
import { ArbiterProcess } from "./arbiter-process.ts";
import type { PairEvent, PairView } from "./events.ts";
import { freePort } from "./free-port.ts";
import { GatewayProcess } from "./gateway-process.ts";
import { type HalfAddresses, Pair } from "./pair.ts";
import {
  type Address,
  addressText,
  claimName,
  type StateFiles,
  stateFiles,
} from "./state-directory.ts";

export interface StartOptions {
  readonly name: string;
  /** As `lockstep runner --guest` takes it. */
  readonly guest: string;
  readonly memoryMiB: number;
  /** Null: the guest has no network. */
  readonly network: NetworkOptions | null;
  /** When the guest counts as ready; null: nobody wants to know. */
  readonly ready: ReadyCondition | null;
  /** How often the runners are asked for their status. */
  readonly lookIntervalMs: number;
  readonly onEvent: (event: PairEvent) => void;
  readonly onView: (view: PairView) => void;
}

export interface NetworkOptions {
  readonly publish: readonly PublishedPort[];
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
  const { name, guest, memoryMiB, ready, lookIntervalMs, onEvent, onView } = options;
  const arbiter = new ArbiterProcess(files, vm, onEvent);
  await arbiter.start();
  const { host, port } = arbiter.address;
  const records = new ArbiterClient({ host, port, vm, key, timeoutMs: 10_000 });
  const created = await records.apply({ kind: "create", vm });
  const gateway = makeGateway(options, files, vm, arbiter.address);
  try {
    if (created.kind !== "granted") {
      const why = created.kind === "refused" ? created.reason : created.message;
      throw new CommandError(exitCodes.failure, `the VM's record cannot be created: ${why}`);
    }
    await gateway?.start();
  } catch (error) {
    records.close();
    await arbiter.stop();
    throw error;
  }
  const runnerArgs = ["--vm", vm, "--name", name, "--guest", guest, "--exit-with-parent"];
  runnerArgs.push("--memory", String(memoryMiB), "--key", files.key);
  runnerArgs.push("--arbiter", `${host}:${port}`);
  if (gateway !== null) runnerArgs.push("--gateway", addressText(gateway.address));
  const addresses = [await halfAddresses(), await halfAddresses()] as const;
  return new Pair({
    ...{ name, vm, key, files, arbiter, gateway, records, addresses, runnerArgs },
    ...{ ready, lookIntervalMs, onEvent, onView },
  });
}

function makeGateway(
  { network, ready, onEvent }: StartOptions,
  files: StateFiles,
  vm: string,
  arbiter: Address,
): GatewayProcess | null {
  if (network === null) return null;
  const readyPort = ready?.kind === "tcp" ? ready.port : null;
  return new GatewayProcess({
    ...{ files, vm, arbiter, publish: network.publish, readyPort, onEvent },
  });
}

async function halfAddresses(): Promise<HalfAddresses> {
  const host = "127.0.0.1";
  return { channel: { host, port: await freePort() }, http: { host, port: await freePort() } };
}
