/**
 * When faults have stopped, the machine comes to what its spec says within a bound, the status tells what is
 * so, and then nothing is written any more.
 */
import { podOfNonce } from "../../../../src/operator/api/names.ts";
import type { FTVirtualMachineStatus } from "../../../../src/operator/api/v1alpha1.ts";
import { exitCodes } from "../../../../src/shared/exit-codes.ts";
import type { VmRecord } from "../../../../src/shared/protocol/record.ts";
import type { SimMachine } from "../world/api-server.ts";
import { componentOf, isPodReady } from "../world/controllers.ts";
import type { World } from "../world/world.ts";
import { livingNamed, type OperatorChecker } from "./checker.ts";

/** A candidate is given two minutes, ends in a row are spaced by up to one, and a pod has one to end. */
const boundMs = 330_000;
/** As long nothing may be written. */
const restMs = 20_000;

export class Convergence implements OperatorChecker {
  readonly name = "convergence";
  #settledMs: number | null = null;
  #writes = 0;
  /** The run is over. */
  done = false;

  onLook(world: World): string | null {
    const { nowMs, scenario } = world;
    if (nowMs < scenario.calmMs + 1_000) return null;
    const open = unsettled(world);
    if (open !== null || world.writes !== this.#writes) this.#settledMs = null;
    if (open === null && world.writes === this.#writes) this.#settledMs ??= nowMs;
    this.#writes = world.writes;
    this.done = this.#settledMs !== null && nowMs - this.#settledMs >= restMs;
    if (this.done || nowMs < scenario.calmMs + boundMs) return null;
    const why = open ?? "it still writes";
    return `${boundMs} ms after the last fault: ${why}`;
  }
}

/** What is not as it should come to be; null: all is. */
function unsettled(world: World): string | null {
  const { vm, api } = world;
  if (vm === null) {
    const left = [...api.list("Pod"), ...api.list("Lease"), ...world.runners];
    return left.length === 0
      ? null
      : `the machine is gone, but ${left.length} pods, Leases or processes are not`;
  }
  if (vm.metadata.deletionTimestamp !== undefined) return "the deleted machine is still there";
  const { status = {} } = vm;
  if (status.observedGeneration !== vm.metadata.generation)
    return "the newest spec was not observed";
  const { lease, record } = world;
  if (
    lease === null ||
    record?.vm !== vm.metadata.uid ||
    status.record?.uid !== lease.metadata.uid
  ) {
    return reasonOf(status, "Ready") === "RecordLost" && status.phase === "Failed"
      ? null
      : `the record is lost, but the status says ${status.phase} ${reasonOf(status, "Ready")}`;
  }
  if (vm.spec.powerState === "Stopped") return notOff(world, status, record, ["PoweredOff"]);
  const downs = mayBeDown(world, vm, record);
  if (downs.length > 0 && notOff(world, status, record, downs) === null) return null;
  return notRunning(world, vm, status, record);
}

/** Reasons for which a machine that is to run may be down. */
function mayBeDown(world: World, vm: SimMachine, record: VmRecord): readonly string[] {
  const used = (code: number) => world.usedDooms.filter((doom) => doom === code).length >= 2;
  const life = `${vm.metadata.uid} ${record.epoch}`;
  const [isOff, isUnsaid] = [world.guestOffEpochs.has(life), world.unsaidEpochs.has(life)];
  const wasLeft = world.leftEpochs.has(life);
  const isLost = wasLeft || (record.primary !== null && livingNamed(world, record).length === 0);
  return [
    ...(isOff || isUnsaid ? ["GuestPoweredOff"] : []),
    ...(isLost && vm.spec.faultTolerance.onPairLost === "Hold" ? ["PairLost"] : []),
    ...(used(exitCodes.trapped) ? ["Trapped"] : []),
    ...(used(exitCodes.usage) ? ["BootFailed"] : []),
  ];
}

function notOff(
  world: World,
  status: FTVirtualMachineStatus,
  record: VmRecord,
  reasons: readonly string[],
): string | null {
  const [living] = world.runners;
  if (living !== undefined) return `the machine is off, but ${living.nonce} lives`;
  if (livingNamed(world, record).length > 0) return "the machine is off, but a half lives";
  const pods = world.api.list("Pod").filter((pod) => componentOf(pod) !== undefined);
  // The proof that the halves are gone is kept where nothing else proves it.
  const kept = [record.primary, record.backup].map((nonce) => nonce && podOfNonce(nonce));
  const extra = pods.find(({ metadata }) => !kept.includes(metadata.name));
  if (extra !== undefined) return `the machine is off, but pod ${extra.metadata.name} is there`;
  const reason = reasonOf(status, "Ready") ?? "";
  if (!reasons.includes(reason))
    return `the machine is off, and Ready says ${reason} (${status.phase})`;
  return statusOf(status, "FaultTolerant") === "False" ? null : "FaultTolerant is not False";
}

function notRunning(
  world: World,
  vm: SimMachine,
  status: FTVirtualMachineStatus,
  record: VmRecord,
): string | null {
  const { enabled } = vm.spec.faultTolerance;
  const says = `status: ${status.phase}, Ready ${reasonOf(status, "Ready")}, FaultTolerant ${reasonOf(status, "FaultTolerant")}`;
  const halves = livingNamed(world, record);
  const primary = halves.find(({ nonce }) => nonce === record.primary);
  if (!primary?.live) return `no primary lives at epoch ${record.epoch}; ${says}`;
  const diverged = world.usedDooms.filter((doom) => doom === exitCodes.divergence).length >= 3;
  const givenUp = diverged && reasonOf(status, "FaultTolerant") === "DivergedRepeatedly";
  const wanted = enabled && !givenUp ? 2 : 1;
  const keyLost = halves.some(({ keyUid }) => keyUid !== world.keyUid);
  if (keyLost) return withoutKey(vm, halves.length, status);
  if (halves.length !== wanted) return `${halves.length} halves live, not ${wanted}; ${says}`;
  const pods = world.api.list("Pod");
  const runners = pods.filter((pod) => componentOf(pod) === "runner");
  const gateways = pods.filter((pod) => componentOf(pod) === "gateway");
  if (runners.length !== wanted) return `${runners.length} runner pods, not ${wanted}; ${says}`;
  const wantedGateways = vm.spec.network.enabled ? 1 : 0;
  const ready = gateways.filter(isPodReady).length;
  if (gateways.length !== wantedGateways || ready !== wantedGateways) {
    return `${gateways.length} gateway pods, ${ready} ready, not ${wantedGateways}; ${says}`;
  }
  if (statusOf(status, "Ready") !== "True") return `Ready is not True; ${says}`;
  if ((statusOf(status, "FaultTolerant") === "True") !== (wanted === 2))
    return `FaultTolerant is wrong; ${says}`;
  if (!givenUp && status.phase !== "Running") return `the phase is ${status.phase}; ${says}`;
  return placesDiffer(world, status, record) ?? restartWrong(vm, status);
}

/** What lives goes on, and nothing joins it. Of a whole pair it need not be noticed at once: nobody watches. */
function withoutKey(vm: SimMachine, halves: number, status: FTVirtualMachineStatus): string | null {
  const reason = reasonOf(status, "FaultTolerant");
  if (!vm.spec.faultTolerance.enabled || halves === 2 || reason === "KeyLost") return null;
  return `the key is lost, and FaultTolerant says ${reason}`;
}

function placesDiffer(
  world: World,
  status: FTVirtualMachineStatus,
  record: VmRecord,
): string | null {
  for (const role of ["primary", "backup"] as const) {
    const nonce = record[role];
    const runner = nonce === null ? null : world.runnerNamed(nonce);
    const [pod, node] = [runner?.pod, runner?.computer.name];
    if (status[role]?.pod !== pod || status[role]?.node !== node) {
      return `the status says that the ${role} is ${status[role]?.pod} on ${status[role]?.node}, and it is ${pod} on ${node}`;
    }
  }
  return status.epoch === record.epoch ? null : `the status is about epoch ${status.epoch}`;
}

function restartWrong(vm: SimMachine, status: FTVirtualMachineStatus): string | null {
  const differs = status.running?.memory !== vm.spec.memory;
  if ((statusOf(status, "RestartRequired") === "True") === differs) return null;
  return `RestartRequired is ${statusOf(status, "RestartRequired")}, memory ${status.running?.memory} of ${vm.spec.memory}`;
}

function conditionOf({ conditions = [] }: FTVirtualMachineStatus, type: string) {
  return conditions.find((condition) => condition.type === type);
}

function reasonOf(status: FTVirtualMachineStatus, type: string): string | undefined {
  return conditionOf(status, type)?.reason;
}

function statusOf(status: FTVirtualMachineStatus, type: string): string | undefined {
  return conditionOf(status, type)?.status;
}
