/** What the operator keeps of each object: what a plan asks about, and not the rest of it. */
import { type Lease, recordOfLease } from "../../storage-arbiter/record/kube-lease.ts";
import { annotations, labels, runnerFinalizer } from "../api/names.ts";
import { type FTVirtualMachine, kind as machineKind } from "../api/v1alpha1.ts";
import type {
  ObjectKind,
  ObservedNode,
  ObservedObject,
  ObservedPod,
  ObservedRecord,
} from "../reconcile/observation.ts";
import type { RawMetadata, RawObject } from "./kubernetes-api.ts";
import type { Entry } from "./object-cache.ts";
import { keyOf } from "./resource-watch.ts";

export interface RawMachine extends RawObject, Pick<FTVirtualMachine, "spec" | "status"> {}

export interface RawPod extends RawObject {
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: ObservedPod["phase"];
    readonly podIP?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly conditions?: readonly RawCondition[];
    readonly containerStatuses?: readonly RawContainer[];
    readonly initContainerStatuses?: readonly RawContainer[];
  };
}

interface RawCondition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

interface RawContainer {
  readonly name?: string;
  readonly state?: {
    readonly waiting?: { readonly reason?: string; readonly message?: string };
    readonly running?: { readonly startedAt?: string };
    readonly terminated?: {
      readonly exitCode: number;
      readonly reason?: string;
      readonly message?: string;
      readonly startedAt?: string | null;
    };
  };
}

export interface RawNode extends RawObject {
  readonly spec?: {
    readonly unschedulable?: boolean;
    readonly taints?: readonly { readonly key: string }[];
  };
  readonly status?: {
    readonly conditions?: readonly RawCondition[];
    readonly nodeInfo?: { readonly bootID?: string };
  };
}

export interface RawService extends RawObject {
  readonly spec?: { readonly clusterIP?: string };
}

/** A pod as its object says; what its runner says comes from elsewhere. */
export interface KeptPod {
  readonly owner: string | null;
  readonly pod: Omit<ObservedPod, "report">;
}

export interface KeptObject {
  readonly owner: string | null;
  readonly applied: string | null;
  readonly clusterIp: string | null;
}

const outOfServiceTaint = "node.kubernetes.io/out-of-service";
/** Waiting that is the ordinary course of things. */
const ordinaryWaits: ReadonlySet<string> = new Set(["ContainerCreating", "PodInitializing"]);
/** Longer messages would only be cut off by whoever shows them. */
const messageCharactersMax = 1_024;

export function machineEntry(raw: RawMachine): Entry<FTVirtualMachine> | null {
  const { managedFields: _, ...metadata }: RawMetadata & { managedFields?: unknown } = raw.metadata;
  // SAFETY: the API server keeps every object of this kind to the CRD, which is made from this type.
  const value = { ...raw, metadata } as unknown as FTVirtualMachine;
  return { ...identity(raw), vm: keyOf(raw), value };
}

export function podEntry(raw: RawPod): Entry<KeptPod> | null {
  const { metadata, spec, status } = raw;
  const component = metadata.labels?.[labels.component];
  if (component !== "runner" && component !== "gateway") return null;
  const role = metadata.labels?.[labels.role];
  // Others may have been put beside ours, and the kubelet sorts them by name.
  const container = status?.containerStatuses?.find(({ name }) => name === component)?.state;
  const terminated = container?.terminated;
  const startedAt = container?.running?.startedAt ?? terminated?.startedAt;
  const pod: KeptPod["pod"] = {
    name: metadata.name,
    uid: metadata.uid,
    component,
    number: numberAtEnd(metadata.name),
    life: wholeNumber(metadata.annotations?.[annotations.life]),
    role: role === "primary" || role === "backup" ? role : null,
    node: spec?.nodeName || null,
    ip: status?.podIP || null,
    createdMs: millisecondsOf(metadata.creationTimestamp) ?? 0,
    phase: status?.phase ?? "Pending",
    ready: isTrue(status?.conditions, "Ready"),
    startedMs: millisecondsOf(startedAt),
    deleting: metadata.deletionTimestamp !== undefined,
    held: metadata.finalizers?.includes(runnerFinalizer) ?? false,
    terminated:
      terminated === undefined
        ? null
        : {
            exitCode: terminated.exitCode,
            message: lastWordsOf(terminated),
          },
    waiting: waitingOf(raw),
    bootId: metadata.annotations?.[annotations.bootId] ?? null,
    applied: metadata.annotations?.[annotations.applied] ?? null,
  };
  return { ...identity(raw), value: { owner: ownerOf(metadata), pod } };
}

/** The scheduler's, the kubelet's or the container's word on why it does not run. */
function waitingOf({ status }: RawPod): ObservedPod["waiting"] {
  const unscheduled = status?.conditions?.find(
    ({ type, status: is }) => type === "PodScheduled" && is === "False",
  );
  if (unscheduled !== undefined) {
    const { reason = "Unschedulable", message } = unscheduled;
    return { reason, message: shortened(message) };
  }
  const containers = [
    ...(status?.initContainerStatuses ?? []),
    ...(status?.containerStatuses ?? []),
  ];
  for (const { state } of containers) {
    const reason = state?.waiting?.reason;
    if (reason === undefined || ordinaryWaits.has(reason)) continue;
    return { reason, message: shortened(state?.waiting?.message) };
  }
  // Refused by the kubelet, or evicted.
  const { reason, message } = status ?? {};
  return reason === undefined ? null : { reason, message: shortened(message) };
}

export function leaseEntry(raw: RawObject & Pick<Lease, "spec">): Entry<Lease> | null {
  const { name, namespace = "", uid, resourceVersion, annotations: notes = {} } = raw.metadata;
  const value: Lease = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name, namespace, uid, resourceVersion, annotations: notes },
    spec: raw.spec ?? {},
  };
  return { ...identity(raw), value };
}

export function nodeEntry(raw: RawNode): Entry<ObservedNode> | null {
  const { metadata, spec, status } = raw;
  const value: ObservedNode = {
    name: metadata.name,
    ready: isTrue(status?.conditions, "Ready"),
    schedulable: spec?.unschedulable !== true,
    labels: metadata.labels ?? {},
    bootId: status?.nodeInfo?.bootID || null,
    outOfService: spec?.taints?.some(({ key }) => key === outOfServiceTaint) ?? false,
  };
  return { ...identity(raw), vm: null, value };
}

export function objectEntry(raw: RawObject): Entry<KeptObject> | null {
  return { ...identity(raw), value: keptObject(raw, null) };
}

export function serviceEntry(raw: RawService): Entry<KeptObject> | null {
  const ip = raw.spec?.clusterIP;
  return { ...identity(raw), value: keptObject(raw, ip && ip !== "None" ? ip : null) };
}

function keptObject({ metadata }: RawObject, clusterIp: string | null): KeptObject {
  const applied = metadata.annotations?.[annotations.applied] ?? null;
  return { owner: ownerOf(metadata), applied, clusterIp };
}

/** As the VM with this uid sees it. */
export function observedObject(
  kind: ObjectKind,
  entry: Entry<KeptObject>,
  vm: string,
): ObservedObject {
  const { owner, applied, clusterIp } = entry.value;
  const name = entry.key.slice(entry.key.indexOf("/") + 1);
  return { kind, name, uid: entry.uid, ours: owner === vm, applied, clusterIp };
}

/** As the VM with this uid sees it. */
export function observedRecord(lease: Lease, vm: string): ObservedRecord {
  const read = recordOfLease(lease);
  if (read.kind === "unusable") return read;
  if (read.record.vm !== vm) {
    const { namespace, name } = lease.metadata;
    const message = `Lease ${namespace}/${name} is the record of another VM, ${read.record.vm}`;
    return { kind: "unusable", message };
  }
  return { kind: "present", uid: lease.metadata.uid ?? "", record: read.record };
}

/** Uid of the FTVirtualMachine that controls it; null: none does. */
export function ownerOf({ ownerReferences }: RawMetadata): string | null {
  const owner = ownerReferences?.find(({ controller }) => controller === true);
  return owner?.kind === machineKind ? owner.uid : null;
}

function identity(raw: RawObject): Omit<Entry<never>, "value"> {
  const { uid, resourceVersion, namespace, labels: words } = raw.metadata;
  const vm = words?.[labels.vm];
  const of = vm === undefined || namespace === undefined ? null : `${namespace}/${vm}`;
  return { key: keyOf(raw), vm: of, uid, resourceVersion };
}

function isTrue(conditions: readonly RawCondition[] | undefined, wanted: string): boolean {
  return conditions?.some(({ type, status }) => type === wanted && status === "True") ?? false;
}

function numberAtEnd(name: string): number {
  return wholeNumber(/-(\d{1,9})$/.exec(name)?.[1]);
}

function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : 0;
}

function millisecondsOf(time: string | null | undefined): number | null {
  const ms = Date.parse(time ?? "");
  return Number.isNaN(ms) ? null : ms;
}

/** The end of its log; in the last line why the kubelet or the kernel ended it, such as OOMKilled. */
function lastWordsOf({ reason = "", message = "" }: { reason?: string; message?: string }): string {
  const isOrdinary = reason === "Error" || reason === "Completed";
  return `${message.slice(-messageCharactersMax)}${isOrdinary ? "" : `\n${reason}`}`;
}

function shortened(message: string | undefined): string {
  return (message ?? "").slice(0, messageCharactersMax);
}
