/**
 * One operator process: it looks with its own caches, plans with the real plan, writes the status, then acts,
 * one request after the other. It can be killed or frozen between any two requests, and a request can land
 * although nobody is left to hear the answer.
 */

import { objectNames, podOfNonce, runnerFinalizer } from "../../../../src/operator/api/names.ts";
import type { FTVirtualMachine } from "../../../../src/operator/api/v1alpha1.ts";
import type { Entry } from "../../../../src/operator/kube/object-cache.ts";
import {
  type KeptPod,
  leaseEntry,
  machineEntry,
  nodeEntry,
  observedObject,
  observedRecord,
  podEntry,
  serviceEntry,
} from "../../../../src/operator/kube/observed.ts";
import { sameJson } from "../../../../src/operator/kube/same-json.ts";
import { VmMemory } from "../../../../src/operator/kube/vm-memory.ts";
import type { Action, Plan } from "../../../../src/operator/reconcile/actions.ts";
import {
  type Observation,
  type ObservedNode,
  type ObservedObject,
  type ObservedRecord,
  objectKey,
} from "../../../../src/operator/reconcile/observation.ts";
import { plan } from "../../../../src/operator/reconcile/plan.ts";
import {
  isOutdated,
  needsNewestNode,
  needsNewestRecord,
} from "../../../../src/operator/reconcile/sight.ts";
import type { RunnerStatus } from "../../../../src/shared/protocol/status.ts";
import { report } from "../../../operator/observations.ts";
import type { Random } from "../../world/random.ts";
import { controllerOf, namespace } from "./api-server.ts";
import { type Landing, Requests, SimApiError } from "./requests.ts";
import { View } from "./view.ts";
import type { World } from "./world.ts";

const vmName = "web";
const key = `${namespace}/${vmName}`;
const pollMs = 1_000;
const resyncMs = 10 * 60_000;
const retryMsMin = 100;
const retryMsMax = 20_000;
/** Between a change and the look at it. */
const queueMs = 20;

interface Known {
  readonly coarse: string;
  readonly report: RunnerStatus | null;
}

export class Operator {
  readonly view: View;
  readonly #world: World;
  readonly #random: Random;
  readonly #requests: Requests;
  #memory = new VmMemory();
  readonly #reports = new Map<string, Known>();
  #leads = false;
  frozen = false;
  /** Grows when the process is killed: what is on its way belongs to an earlier one. */
  #life = 0;
  #dirty = false;
  #busy = false;
  #failures = 0;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(world: World, random: Random) {
    this.#world = world;
    this.#random = random;
    this.view = new View(world, random, () => this.#enqueue(queueMs));
    this.#requests = new Requests(world, this.view, () => this.#memory);
    this.#pollLater();
  }

  get leads(): boolean {
    return this.#leads;
  }

  lead(): void {
    this.#leads = true;
    if (!this.view.ready) this.view.listAll();
    this.#enqueue(queueMs);
  }

  /** The process ends. Its successor knows nothing but what it lists. */
  kill(): void {
    this.#life++;
    this.#leads = false;
    this.#busy = false;
    this.#failures = 0;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#memory = new VmMemory();
    this.#reports.clear();
  }

  start(): void {
    this.view.listAll();
    this.lead();
  }

  thaw(): void {
    this.frozen = false;
    this.#enqueue(queueMs);
  }

  #enqueue(ms: number): void {
    this.#dirty = true;
    this.#wakeAfter(ms);
  }

  #wakeAfter(ms: number): void {
    const dueMs = this.#world.nowMs + ms;
    if (dueMs >= this.#dueMs) return;
    this.#dueMs = dueMs;
    const life = this.#life;
    this.#world.agenda.after(ms, () => {
      if (life !== this.#life || dueMs !== this.#dueMs) return;
      this.#dueMs = Number.POSITIVE_INFINITY;
      if (!this.#busy && this.#leads && !this.frozen) this.#begin();
    });
  }

  #begin(): void {
    this.#dirty = false;
    this.#busy = true;
    this.#go(this.#reconcile(), this.#life);
  }

  /** One request after the other; a frozen process goes on where it was. */
  #go(steps: Generator<number, number>, life: number): void {
    if (life !== this.#life) return;
    if (this.frozen) {
      this.#world.agenda.after(100, () => this.#go(steps, life));
      return;
    }
    try {
      const step = steps.next();
      if (step.done !== true) {
        this.#world.agenda.after(step.value, () => this.#go(steps, life));
        return;
      }
      this.#failures = 0;
      this.#end(step.value);
    } catch (error) {
      if (!(error instanceof SimApiError)) throw error;
      this.#failures++;
      this.#end(Math.min(retryMsMin * 2 ** this.#failures, retryMsMax));
    }
  }

  #end(againMs: number): void {
    this.#busy = false;
    const soon = this.#dirty && this.#failures === 0;
    this.#dueMs = Number.POSITIVE_INFINITY;
    this.#wakeAfter(soon ? queueMs : againMs);
  }

  *#reconcile(): Generator<number, number> {
    const vm = this.view.machines.get(key)?.value;
    yield* this.#releaseOrphans(vm);
    if (vm === undefined) return resyncMs;
    const observation = this.#gather(vm);
    const made = plan(observation);
    this.#world.onPlan(observation, made);
    const written = yield* this.#writeStatus(vm, made);
    if (written === null) return resyncMs;
    const refused = yield* this.#perform(written, made, observation);
    if (refused !== null) throw refused;
    const foreign = this.#memory.foreign(vm.metadata.uid, observation.nowMs).length > 0;
    const noted = written === vm ? resyncMs : 1;
    return Math.min(noted, made.againInMs ?? resyncMs, foreign ? 30_000 : resyncMs);
  }

  *#releaseOrphans(vm: FTVirtualMachine | undefined): Generator<number, void> {
    for (const { value } of this.view.pods.ofVm(key)) {
      const { owner, pod } = value;
      if (!pod.held || owner === null || owner === vm?.metadata.uid) continue;
      yield* this.#send(() => {
        const row = this.#world.api.get("Pod", pod.name);
        if (row?.metadata.uid === pod.uid) this.#world.api.release(row, runnerFinalizer);
      });
    }
  }

  *#writeStatus(
    vm: FTVirtualMachine,
    { status }: Plan,
  ): Generator<number, FTVirtualMachine | null> {
    if (sameJson(vm.status ?? {}, status)) return vm;
    let written: FTVirtualMachine | null = null;
    yield* this.#send(() => {
      const { api } = this.#world;
      const row = api.get("FTVirtualMachine", vmName);
      if (row === null || row.metadata.uid !== vm.metadata.uid) return;
      if (row.metadata.resourceVersion !== vm.metadata.resourceVersion)
        throw new SimApiError("conflict");
      const entry = machineEntry(api.put("FTVirtualMachine", { ...row, status }));
      if (entry === null) return;
      written = entry.value;
      return () => this.view.machines.assume(entry.key, entry);
    });
    return written;
  }

  *#perform(
    vm: FTVirtualMachine,
    { actions }: Plan,
    observation: Observation,
  ): Generator<number, SimApiError | null> {
    let refused: SimApiError | null = null;
    for (const action of actions) {
      if (action.kind === "removeFinalizer" && refused !== null) continue;
      try {
        yield* this.#send(() => {
          const landing: Landing = { vm, action, observation };
          return this.#requests.land(landing);
        });
        this.#memory.accept(vm.metadata.uid, tryOf(action));
      } catch (error) {
        if (!(error instanceof SimApiError) || error.code !== "refused") throw error;
        const atMs = this.#world.wallMs;
        const what = action.kind === "createPod" ? "Pod" : "object";
        this.#memory.refuse(vm.metadata.uid, tryOf(action), { what, message: error.message, atMs });
        refused = error;
      }
    }
    return refused;
  }

  /** `land` gives what is to be done when the answer comes. */
  *#send(land: () => (() => void) | undefined): Generator<number, void> {
    const world = this.#world;
    yield 2 + this.#random() * 20;
    const fate = world.fateOfWrite();
    if (fate === "lost") throw new SimApiError("unavailable");
    const answered = land();
    world.countWrite();
    yield 1 + this.#random() * 10;
    if (fate === "unanswered") throw new SimApiError("unavailable");
    answered?.();
  }

  #gather(vm: FTVirtualMachine): Observation {
    const { uid } = vm.metadata;
    const nowMs = this.#world.wallMs;
    const objects = new Map<string, ObservedObject>(this.#memory.foreign(uid, nowMs));
    const secret = this.#read("Secret", objectNames(vmName).key);
    const secretEntry = secret === null ? null : serviceEntry(secret);
    if (secretEntry !== null) {
      const object = observedObject("Secret", secretEntry, uid);
      objects.set(objectKey("Secret", object.name), object);
    }
    for (const entry of this.view.objects.all()) {
      // SAFETY: the key of an object in this cache begins with its kind.
      const kind = entry.key.slice(0, entry.key.indexOf("/")) as ObservedObject["kind"];
      const object = observedObject(kind, this.view.objects.get(entry.key) ?? entry, uid);
      objects.set(objectKey(kind, object.name), object);
    }
    let record = this.#record(vm);
    let kept = this.#pods(uid, record);
    let nodes = this.#nodes(kept);
    const reportOf = (podUid: string) => this.#reports.get(podUid)?.report ?? null;
    const heard = kept.map(({ value: { pod } }) => ({ ...pod, report: reportOf(pod.uid) }));
    if (record.kind === "present" && needsNewestRecord(vm, record.record, heard, nodes)) {
      record = this.#newestRecord(uid);
      kept = this.#pods(uid, record);
      nodes = this.#nodes(kept);
    }
    const pods = kept.map(({ value: { pod } }) => ({ ...pod, report: reportOf(pod.uid) }));
    const refusals = this.#memory.refusals(uid, nowMs);
    const { settings } = this.#world;
    return { nowMs, settings, vm, record, pods, nodes, objects, refusals };
  }

  #read<K extends "Secret" | "Lease" | "Pod" | "Node">(kind: K, name: string) {
    if (!this.#world.apiUp) throw new SimApiError("unavailable");
    return this.#world.api.get(kind, name);
  }

  #record(vm: FTVirtualMachine): ObservedRecord {
    const { uid } = vm.metadata;
    const known = this.view.leases.get(`${namespace}/${vmName}`);
    if (known === undefined) return this.#newestRecord(uid);
    const heard = observedRecord(known.value, uid);
    const isOld = heard.kind === "present" && isOutdated(heard.record, vm);
    return isOld ? this.#newestRecord(uid) : heard;
  }

  #newestRecord(uid: string): ObservedRecord {
    const raw = this.#read("Lease", vmName);
    const entry = raw === null ? null : leaseEntry(raw);
    return entry === null ? { kind: "absent" } : observedRecord(entry.value, uid);
  }

  #pods(uid: string, record: ObservedRecord): readonly Entry<KeptPod>[] {
    const pods = this.view.pods.ofVm(key).filter(({ value }) => value.owner === uid);
    if (record.kind !== "present") return pods;
    const named = [record.record.primary, record.record.backup].flatMap((nonce) =>
      nonce === null ? [] : [podOfNonce(nonce)],
    );
    const missing = named.filter((name) => !pods.some(({ value }) => value.pod.name === name));
    const found = missing.flatMap((name) => {
      const raw = this.#read("Pod", name);
      const entry = raw === null || controllerOf(raw) !== uid ? null : podEntry(raw);
      return entry === null ? [] : [entry];
    });
    return [...pods, ...found];
  }

  #nodes(pods: readonly Entry<KeptPod>[]): ReadonlyMap<string, ObservedNode> {
    const known = new Map<string, ObservedNode>();
    for (const { key: name, value } of this.view.nodes.all()) known.set(name, value);
    for (const { value } of pods) {
      const { node } = value.pod;
      if (node === null) continue;
      if (known.has(node) && !needsNewestNode(value.pod, known.get(node))) continue;
      const raw = this.#read("Node", node);
      const entry = raw === null ? null : nodeEntry(raw);
      if (entry === null) known.delete(node);
      else known.set(node, entry.value);
    }
    return known;
  }

  /** The runners are asked how they are. */
  #pollLater(): void {
    this.#world.agenda.after(pollMs, () => {
      if (this.#leads && !this.frozen) this.#poll();
      this.#pollLater();
    });
  }

  #poll(): void {
    let news = false;
    for (const { value } of this.view.pods.ofVm(key)) {
      const { uid, component } = value.pod;
      if (component !== "runner") continue;
      const runner = this.#world.runnerInPod(uid);
      const answers = runner?.alive === true && runner.computer.powered && !runner.computer.frozen;
      const heard = answers && !runner.computer.partitioned;
      const role = heard ? runner.role : null;
      const coarse = heard
        ? `${role} ${runner.live} ${runner.epoch} ${runner.transferring} ${runner.goLive?.atMs}`
        : "";
      if (this.#reports.get(uid)?.coarse === coarse) continue;
      this.#reports.set(uid, {
        coarse,
        report: heard ? this.#world.reportOf(runner, report) : null,
      });
      news = true;
    }
    if (news) this.#enqueue(queueMs);
  }
}

function tryOf(action: Action): string {
  return action.kind === "apply" || action.kind === "delete"
    ? `${action.kind} ${action.objectKind}`
    : action.kind;
}
