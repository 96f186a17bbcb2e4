/** What most promises have in common: clients count while something happens to the machine. */
import { expect } from "@jest/globals";
import type { FTVirtualMachineStatus } from "../../src/operator/api/v1alpha1.ts";
import { CountingClient } from "./counting-client.ts";
import { type LockstepCluster, say } from "./lockstep-cluster.ts";
import { Machine, type Place } from "./machine.ts";
import { counterSpec } from "./machine-specs.ts";
import { spreadOut } from "./spread-out.ts";

export interface CountedMachine {
  readonly machine: Machine;
  readonly client: CountingClient;
  /** Where its parts were when the client had begun to count: on three nodes. */
  readonly primary: Place;
  readonly backup: Place;
  readonly gateway: Place;
  readonly before: FTVirtualMachineStatus;
  /** Resolves when the machine is fault tolerant at a later epoch; the first time is told. */
  readonly wholeAgain: () => Promise<FTVirtualMachineStatus>;
}

/** What clients and redundancy suffered, in milliseconds. */
export interface Suffered {
  readonly gapMs: number;
  /** From the beginning until the machine was fault tolerant again; null: nobody asked. */
  readonly wholeMs: number | null;
}

/**
 * A machine that counts, whole, its parts on three nodes. The one of the test before is used again: its
 * guest has then lived through more.
 */
export async function countingMachine(lockstep: LockstepCluster): Promise<Machine> {
  const machine = new Machine(lockstep, "counting");
  await machine.apply(counterSpec);
  await machine.whole();
  await spreadOut(lockstep, machine);
  return machine;
}

/**
 * `act` happens while a client counts. Afterwards the connection is the same, and every number came once
 * and in order.
 */
export async function whileCounting(
  lockstep: LockstepCluster,
  what: string,
  act: (counted: CountedMachine) => Promise<void>,
): Promise<Suffered> {
  const machine = await countingMachine(lockstep);
  const [primary, backup, gateway] = [
    await machine.primary(),
    await machine.backup(),
    await machine.gateway(),
  ];
  const before = await machine.status();
  const port = await machine.nodePort();
  const client = await CountingClient.connect(lockstep.addressOf(gateway.node), port);
  try {
    let wholeMs: number | null = null;
    const begin = performance.now();
    const wholeAgain = async () => {
      const status = await machine.whole(before.epoch);
      wholeMs ??= Math.round(performance.now() - begin);
      return status;
    };
    await act({ machine, client, primary, backup, gateway, before, wholeAgain });
    await client.flows();
    expect(client.problems).toEqual([]);
    const gapMs = client.gapSince(begin);
    const restored = wholeMs === null ? "" : `, fault tolerant again after ${wholeMs} ms`;
    say(`${what}: longest silence ${gapMs} ms${restored}`);
    return { gapMs, wholeMs };
  } finally {
    client.close();
  }
}
