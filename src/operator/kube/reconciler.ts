/**
 * One look at one VM: gather, plan, write the status, tell events, act. The status comes first, with the
 * version that was seen: what a plan wants remembered is written before anything is done that leans on it,
 * and who saw an old version does nothing. Whatever fails is looked at again; nothing is retried within.
 */
import type { Logger } from "../../platform/logging.ts";
import { objectNames } from "../api/names.ts";
import type { FTVirtualMachine, FTVirtualMachineStatus } from "../api/v1alpha1.ts";
import type { OperatorMetrics } from "../metrics/operator-metrics.ts";
import type { Action, Plan } from "../reconcile/actions.ts";
import type { Observation } from "../reconcile/observation.ts";
import type { ClusterView } from "./cluster-view.ts";
import type { EventRecorder } from "./event-recorder.ts";
import { type GatherSources, gather } from "./gather.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";
import { apiErrorCode, KubernetesApiError } from "./kubernetes-api-error.ts";
import { machineEntry, type RawMachine } from "./observed.ts";
import type { Performer } from "./perform.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import { objectPath } from "./resources.ts";
import { sameJson } from "./same-json.ts";
import { partsOfKey } from "./vm-key.ts";
import { foreignMsMax, type VmMemory } from "./vm-memory.ts";

export interface ReconcilerOptions extends GatherSources {
  readonly api: KubernetesApi;
  readonly view: ClusterView;
  readonly memory: VmMemory;
  readonly performer: Performer;
  readonly events: EventRecorder;
  readonly metrics: OperatorMetrics;
  /** Of pods that are made and of pods that are deleted by force, in the whole cluster. */
  readonly storm: RateLimiter;
  readonly plan: (observation: Observation) => Plan;
  readonly log: Logger;
}

/** Every VM is looked at so often even if nothing seems to change. */
const resyncMs = 10 * 60_000;

export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** Uids of the VMs that were looked at, by key. */
  readonly #uids = new Map<string, string>();

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  /**
   * Returns after how many milliseconds to look again; null: there is no such VM any more.
   * @throws KubernetesApiError where the API server did not do what was asked
   */
  async reconcile(key: string): Promise<number | null> {
    const vm = this.#options.view.machines.get(key)?.value;
    const uid = this.#uids.get(key);
    if (uid !== undefined && uid !== vm?.metadata.uid) this.#forget(key, uid);
    await this.#releaseOrphans(key, vm);
    if (vm === undefined) return null;
    this.#uids.set(key, vm.metadata.uid);
    const observation = await gather(vm, this.#options);
    const plan = this.#options.plan(observation);
    this.#measure(vm, plan.status);
    const written = await this.#writeStatus(vm, plan.status);
    if (written === null) return null;
    for (const event of plan.events) this.#options.events.tell(vm, event);
    const waitMs = await this.#perform(key, written, plan.actions);
    const foreign = this.#options.memory.foreign(vm.metadata.uid, Date.now()).length > 0;
    return Math.min(
      // What the plan has noted in the status, the next one builds on.
      written === vm ? resyncMs : 1,
      plan.againInMs ?? resyncMs,
      waitMs ?? resyncMs,
      foreign ? foreignMsMax : resyncMs,
    );
  }

  #forget(key: string, uid: string): void {
    const { memory, metrics } = this.#options;
    this.#uids.delete(key);
    memory.forget(uid);
    const { namespace, name } = partsOfKey(key);
    this.#options.reader.forgetSecret(namespace, objectNames(name).key);
    metrics.machines.forget(namespace, name);
  }

  /** Pods whose VM is gone, or was made anew, are held for nobody: the API server itself says that it is. */
  async #releaseOrphans(key: string, vm: FTVirtualMachine | undefined): Promise<void> {
    const { view, performer } = this.#options;
    const held = view.pods.ofVm(key).filter(({ value }) => value.pod.held && value.owner !== null);
    const orphans = held.filter(({ value }) => value.owner !== vm?.metadata.uid);
    if (orphans.length === 0) return;
    const living = await this.#uidNow(key);
    for (const { value } of orphans) {
      if (value.owner === living) continue;
      await performer.releasePod(partsOfKey(key).namespace, value.pod.name, value.pod.uid);
    }
  }

  /** Null: there is no such VM. */
  async #uidNow(key: string): Promise<string | null> {
    const { namespace, name } = partsOfKey(key);
    const path = objectPath("FTVirtualMachine", namespace, name);
    try {
      const raw = await this.#options.api.send<RawMachine>({ method: "GET", path });
      return raw.metadata.uid;
    } catch (error) {
      if (apiErrorCode(error) === "not found") return null;
      throw error;
    }
  }

  /** The VM as it is afterwards; null: it is gone. */
  async #writeStatus(
    vm: FTVirtualMachine,
    status: FTVirtualMachineStatus,
  ): Promise<FTVirtualMachine | null> {
    if (sameJson(vm.status ?? {}, status)) return vm;
    const { api, view, metrics } = this.#options;
    const { namespace, name } = vm.metadata;
    metrics.onWrite("FTVirtualMachine", "status");
    const path = `${objectPath("FTVirtualMachine", namespace, name)}/status`;
    try {
      const body = { ...vm, status };
      const entry = machineEntry(await api.send<RawMachine>({ method: "PUT", path, body }));
      if (entry === null) return null;
      view.machines.assume(entry.key, entry);
      return entry.value;
    } catch (error) {
      if (apiErrorCode(error) === "not found") return null;
      throw error;
    }
  }

  /**
   * What is refused is remembered for the next plan and does not keep the rest from being done; the VM's
   * finalizer stays until all else is done. Returns for how long an action has to wait for its turn.
   */
  async #perform(
    key: string,
    vm: FTVirtualMachine,
    actions: readonly Action[],
  ): Promise<number | null> {
    let waitMs: number | null = null;
    let refused: KubernetesApiError | null = null;
    for (const batch of batchesOf(actions)) {
      const done = await Promise.allSettled(
        batch.map(async ({ action, index }) => {
          const isLast = action.kind === "removeFinalizer";
          if (isLast && (refused !== null || waitMs !== null)) return { turnMs: 0, refused: null };
          const turnMs = this.#turnMs(`${key} ${index}`, action);
          return { turnMs, refused: turnMs > 0 ? null : await this.#try(key, vm, action) };
        }),
      );
      for (const outcome of done) {
        if (outcome.status === "rejected") throw outcome.reason;
        const { turnMs } = outcome.value;
        if (turnMs > 0) {
          this.#options.metrics.onDeferred();
          waitMs = Math.min(waitMs ?? turnMs, turnMs);
        }
        refused = outcome.value.refused ?? refused;
      }
    }
    if (refused !== null) throw refused;
    return waitMs;
  }

  /** Null, or why it was refused. */
  async #try(
    key: string,
    vm: FTVirtualMachine,
    action: Action,
  ): Promise<KubernetesApiError | null> {
    const { performer, memory, log } = this.#options;
    const { uid } = vm.metadata;
    try {
      await performer.perform(vm, action);
      memory.accept(uid, tryOf(action));
      return null;
    } catch (error) {
      if (!(error instanceof KubernetesApiError) || !isRefusal(error)) throw error;
      const { message } = error;
      memory.refuse(uid, tryOf(action), { what: whatOf(action), message, atMs: Date.now() });
      log.warn({ vm: key, action: action.kind, reason: message }, "an action was refused");
      return error;
    }
  }

  /** How long an action has to wait so that many machines at once are no storm. */
  #turnMs(who: string, action: Action): number {
    const limited =
      action.kind === "createPod" || (action.kind === "deletePod" && action.force === true);
    return limited ? this.#options.storm.ask(who, performance.now()) : 0;
  }

  #measure(vm: FTVirtualMachine, status: FTVirtualMachineStatus): void {
    const { powerState, faultTolerance } = vm.spec;
    const { primary, backup, phase = "Pending", conditions = [] } = status;
    const nodes = [primary?.node, backup?.node].filter((node) => node !== undefined);
    const running = faultTolerance.enabled ? 2 : 1;
    this.#options.metrics.machines.observe(vm.metadata.namespace, vm.metadata.name, {
      ...{ phase, conditions, nodes: new Set(nodes).size },
      nodesWanted: powerState === "Stopped" ? 0 : running,
    });
  }
}

interface Step {
  readonly action: Action;
  readonly index: number;
}

/** What makes or marks an object of its own waits for nothing else: a new machine has a dozen of them. */
const independent: ReadonlySet<Action["kind"]> = new Set([
  "apply",
  "createKey",
  "createRecord",
  "createPod",
  "labelPod",
]);

/** In order; those of one batch are done at the same time. */
function batchesOf(actions: readonly Action[]): readonly (readonly Step[])[] {
  const batches: Step[][] = [];
  for (const [index, action] of actions.entries()) {
    const last = batches.at(-1);
    const joins =
      independent.has(action.kind) && independent.has(last?.[0]?.action.kind ?? "delete");
    if (joins && last !== undefined) last.push({ action, index });
    else batches.push([{ action, index }]);
  }
  return batches;
}

/** Where something is to be made and is not found, the namespace is missing. */
function isRefusal({ code }: KubernetesApiError): boolean {
  return code === "refused" || code === "not found";
}

/** Tries of the same kind meet the same refusal. */
function tryOf(action: Action): string {
  return `${action.kind} ${whatOf(action)}`;
}

/** In a sentence: what the API server refused. */
function whatOf(action: Action): string {
  switch (action.kind) {
    case "addFinalizer":
    case "removeFinalizer":
      return "finalizer";
    case "createRecord":
      return "Lease";
    case "createKey":
      return "Secret";
    case "apply":
    case "delete":
      return action.objectKind;
    case "createPod":
      return "Pod";
    case "deletePod":
    case "releasePod":
      return "deletion of a Pod";
    case "labelPod":
      return "label of a Pod";
    case "powerOff":
      return "power-off";
    case "redial":
      return "redial";
  }
}
