/**
 * A cluster with one machine's name in it, on a simulated clock: API server, computers, runners, operators,
 * and whoever watches. Everything happens by the agenda; equal scenarios give equal runs.
 */

import { objectNames } from "../../../../src/operator/api/names.ts";
import type { FTVirtualMachineSpec } from "../../../../src/operator/api/v1alpha1.ts";
import type { Plan } from "../../../../src/operator/reconcile/actions.ts";
import type {
  Observation,
  OperatorSettings,
} from "../../../../src/operator/reconcile/observation.ts";
import { timestampOf } from "../../../../src/operator/reconcile/timestamp.ts";
import type { RecordRequest, VmRecord } from "../../../../src/shared/protocol/record.ts";
import type { RunnerStatus } from "../../../../src/shared/protocol/status.ts";
import { recordOfLease } from "../../../../src/storage-arbiter/record/kube-lease.ts";
import { leaseChange } from "../../../../src/storage-arbiter/record/lease-change.ts";
import { defaultSpec, settings } from "../../../operator/observations.ts";
import { Agenda } from "../../world/clock.ts";
import { type Random, randomOf } from "../../world/random.ts";
import type { Watcher } from "../checkers/checker.ts";
import type { OperatorScenario } from "../scenario.ts";
import { ApiServer, type SimLease, type SimMachine, type SimPod } from "./api-server.ts";
import { Computer } from "./computer.ts";
import { Controllers } from "./controllers.ts";
import { Operator } from "./operator.ts";
import type { Landing } from "./requests.ts";
import { Runner, type RunnerArguments } from "./runner.ts";

export const vmName = "web";
const startWallMs = 1_800_000_000_000;

export class World {
  readonly scenario: OperatorScenario;
  readonly agenda = new Agenda();
  readonly api = new ApiServer();
  readonly settings: OperatorSettings = settings;
  readonly computers: readonly Computer[];
  readonly operators: readonly Operator[];
  readonly #watcher: Watcher;
  readonly #random: Random;
  /** Those that live. */
  runners: readonly Runner[] = [];
  readonly #byNonce = new Map<string, Runner>();
  readonly #byPod = new Map<string, Runner>();
  apiUp = true;
  quota = false;
  slowStarts = false;
  /** Share of writes that fail, or whose answer is lost. */
  failShare = 0;
  /** Codes with which the next runners end. */
  readonly dooms: number[] = [];
  readonly usedDooms: number[] = [];
  /** `uid epoch` of the records in which the guest had switched itself off, and when it did. */
  readonly guestOffEpochs = new Map<string, number>();
  /** When a user last set powerState to Stopped. */
  stoppedMs = Number.NEGATIVE_INFINITY;
  /** The same, where its last runner was told to leave and had nobody to hand over to. */
  readonly leftEpochs = new Set<string>();
  /** Those of them where it was killed before it could say so. */
  readonly unsaidEpochs = new Set<string>();
  /** Names and versions of objects that belong to others. */
  readonly foreign = new Map<
    string,
    { kind: "Service" | "ServiceAccount" | "Pod" | "Lease"; version: string }
  >();
  /** Since when the record has named a runner for the first time. */
  readonly namedMs = new Map<string, number>();
  writes = 0;
  plans = 0;
  /** When something struck or was mended: each may call for new pods. */
  readonly faultsMs: number[] = [];

  constructor(scenario: OperatorScenario, watcher: Watcher) {
    this.scenario = scenario;
    this.#watcher = watcher;
    this.#random = randomOf(scenario.seed, "world");
    this.computers = Array.from(
      { length: scenario.nodes },
      (_, index) => new Computer(this, `node-${index + 1}`),
    );
    this.operators = [1, 2].map(
      (n) => new Operator(this, randomOf(scenario.seed, `operator ${n}`)),
    );
    new Controllers(this);
    for (const computer of this.computers) this.tellNode(computer);
    this.makeMachine();
    this.operators[0]?.lead();
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  get wallMs(): number {
    return startWallMs + Math.floor(this.agenda.nowMs);
  }

  /** Of the moment `ms`, now if it is left out. */
  timestamp(ms: number = this.nowMs): string {
    return timestampOf(startWallMs + ms);
  }

  get vm(): SimMachine | null {
    return this.api.get("FTVirtualMachine", vmName);
  }

  get lease(): SimLease | null {
    return this.api.get("Lease", vmName);
  }

  /** Null: there is none, or it is no record. */
  get record(): VmRecord | null {
    return this.lease === null ? null : recordIn(this.lease);
  }

  makeMachine(): void {
    const { faultTolerant: enabled, onPairLost } = this.scenario;
    const spec: FTVirtualMachineSpec = {
      ...defaultSpec,
      faultTolerance: { ...defaultSpec.faultTolerance, enabled, onPairLost },
    };
    this.api.create("FTVirtualMachine", {
      ...{ apiVersion: "lockstep.dev/v1alpha1", kind: "FTVirtualMachine", spec },
      metadata: {
        ...{ name: vmName, namespace: "default", uid: this.api.newUid(), generation: 1 },
        ...{ resourceVersion: "0", creationTimestamp: this.timestamp() },
      },
    });
  }

  /** A user changes the spec. */
  changeSpec(change: (spec: FTVirtualMachineSpec) => FTVirtualMachineSpec): void {
    const { vm } = this;
    if (vm === null || vm.metadata.deletionTimestamp !== undefined) return;
    const metadata = { ...vm.metadata, generation: vm.metadata.generation + 1 };
    this.api.put("FTVirtualMachine", { ...vm, metadata, spec: change(vm.spec) });
  }

  hex(): string {
    const digits = () =>
      Math.floor(this.#random() * 2 ** 32)
        .toString(16)
        .padStart(8, "0");
    return digits() + digits();
  }

  requestMs(): number {
    return this.#random() < 0.05 ? this.#random() * 1_500 : 5 + this.#random() * 40;
  }

  transferMs(): number {
    return 500 + this.#random() * 2_500;
  }

  startMs(): number {
    return (this.slowStarts ? 15_000 : 300) + this.#random() * 1_500;
  }

  fateOfWrite(): "good" | "lost" | "unanswered" {
    if (!this.apiUp) return "lost";
    if (this.#random() >= this.failShare) return "good";
    return this.#random() < 0.5 ? "lost" : "unanswered";
  }

  countWrite(): void {
    this.writes++;
  }

  disturb(): void {
    this.faultsMs.push(this.nowMs);
  }

  readRecord({ computer, args }: Runner): VmRecord | "missing" | "unreachable" {
    if (!computer.reachesApi) return "unreachable";
    const { lease } = this;
    if (lease === null) return "missing";
    const record = recordIn(lease);
    return record === null || record.vm !== args.vm ? "unreachable" : record;
  }

  applyRequest(runner: Runner, request: RecordRequest): void {
    const { lease } = this;
    if (lease === null || !this.apiUp || runner.computer.partitioned) return;
    const before = recordIn(lease);
    const change = leaseChange(asLease(lease), request, () => null, this.timestamp());
    if (change.kind !== "write") return;
    const metadata = { ...lease.metadata, annotations: change.lease.metadata.annotations ?? {} };
    this.api.put("Lease", { ...lease, metadata, spec: change.lease.spec ?? {} });
    for (const nonce of [change.outcome.record.primary, change.outcome.record.backup]) {
      if (nonce !== null && !this.namedMs.has(nonce)) this.namedMs.set(nonce, this.nowMs);
    }
    this.#watcher.onRecord(request, before, change.outcome.record, runner);
  }

  startRunner(
    computer: Computer,
    pod: { name: string; uid: string },
    args: RunnerArguments,
  ): Runner {
    const runner = new Runner(this, computer, pod, args);
    const doom = this.dooms.shift();
    if (doom !== undefined) {
      runner.doom = doom;
      this.usedDooms.push(doom);
    }
    this.runners = [...this.runners, runner];
    this.#byNonce.set(runner.nonce, runner);
    this.#byPod.set(runner.podUid, runner);
    this.#watcher.say(`${runner.nonce} starts on ${computer.name}`);
    return runner;
  }

  onRunnerEnded(runner: Runner): void {
    this.runners = this.runners.filter((other) => other !== runner);
    runner.computer.onRunnerEnded(runner);
    this.#watcher.say(`${runner.nonce} ends with code ${runner.exitCode}: ${runner.exitMessage}`);
  }

  runnerNamed(nonce: string): Runner | null {
    return this.#byNonce.get(nonce) ?? null;
  }

  runnerInPod(uid: string): Runner | null {
    return this.#byPod.get(uid) ?? null;
  }

  reportOf(runner: Runner, make: (over: Partial<RunnerStatus>) => RunnerStatus): RunnerStatus {
    const { role, nonce, live, args, goLive, epoch } = runner;
    const ago = goLive === null ? 0 : this.nowMs - goLive.atMs;
    return make({
      ...{ vm: args.vm, nonce, role, live, epoch },
      lastGoLive: goLive === null ? null : { reason: goLive.reason, afterMs: 100, agoMs: ago },
      transfers: { ...make({}).transfers, running: runner.transferring },
    });
  }

  /** Uid of the Secret with the pair's key; null: there is none. */
  get keyUid(): string | null {
    return this.api.get("Secret", objectNames(vmName).key)?.metadata.uid ?? null;
  }

  orderPowerOff(ip: string): void {
    const pod = this.api.list("Pod").find(({ status }) => status?.podIP === ip);
    const runner = pod === undefined ? null : this.runnerInPod(pod.metadata.uid);
    // Without its key, or with another, no order comes through.
    if (runner?.keyUid !== this.keyUid) return;
    const { computer } = runner ?? {};
    if (!runner?.live || computer === undefined || computer.frozen || computer.partitioned) return;
    runner.ordered = "power off";
  }

  /** The node's heartbeat. */
  tellNode(computer: Computer): void {
    const node = this.api.get("Node", computer.name);
    const ready = node?.status?.conditions?.some(({ status }) => status === "True") ?? false;
    if (node !== null && ready && node.status?.nodeInfo?.bootID === computer.bootId) return;
    const { name, bootId } = computer;
    const status = {
      conditions: [{ type: "Ready", status: "True" }],
      nodeInfo: { bootID: bootId },
    };
    const uid = node?.metadata.uid ?? this.api.newUid();
    const metadata = {
      name,
      uid,
      resourceVersion: "0",
      labels: { "kubernetes.io/hostname": name },
    };
    this.api.put("Node", { metadata: node?.metadata ?? metadata, spec: node?.spec ?? {}, status });
  }

  /** The kubelet's last word on a pod: nothing of it is left here. */
  finishPod(pod: SimPod): void {
    this.api.deletePod(pod, 0, this.timestamp());
  }

  onPlan(observation: Observation, plan: Plan): void {
    this.plans++;
    this.#watcher.onPlan(observation, plan);
  }

  onLanding(landing: Landing): void {
    this.#watcher.onLanding(landing);
  }
}

function recordIn(lease: SimLease): VmRecord | null {
  const read = recordOfLease(asLease(lease));
  return read.kind === "record" ? read.record : null;
}

function asLease({ metadata, spec }: SimLease): Parameters<typeof recordOfLease>[0] {
  const { name, uid, resourceVersion, annotations = {} } = metadata;
  return {
    ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease" },
    metadata: { name, namespace: "default", uid, resourceVersion, annotations },
    spec: spec ?? {},
  };
}
