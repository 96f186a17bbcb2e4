/**
 * Everything that the operator knows of one VM when it decides: the crossing value of the line. The
 * shell (`../kube/gather.ts`) fills it from its informers, reads what the runners say, and adds the
 * time.
 */
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import type { Component } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";

export interface Observation {
  /** Wall clock, in milliseconds. It spaces tries and dates events; it never decides who is primary. */
  readonly nowMs: number;
  readonly settings: OperatorSettings;
  readonly vm: FTVirtualMachine;
  readonly record: ObservedRecord;
  /** The VM's pods, whatever their state. */
  readonly pods: readonly ObservedPod[];
  /** All nodes of the cluster, by name. */
  readonly nodes: ReadonlyMap<string, ObservedNode>;
  /** The VM's other objects, by `objectKey`; absent: there is none of this name. */
  readonly objects: ReadonlyMap<string, ObservedObject>;
  /** What the API server refused lately of this VM's objects, oldest first. */
  readonly refusals: readonly Refusal[];
}

export interface Refusal {
  /** Kind of the object. */
  readonly what: string;
  /** In the API server's words. */
  readonly message: string;
  readonly atMs: number;
}

/** How this operator was installed. */
export interface OperatorSettings {
  /** Of runners and gateways of machines that are started from now on. */
  readonly image: string;
  readonly imagePullPolicy: "Always" | "IfNotPresent" | "Never";
  readonly imagePullSecrets: readonly string[];
  /** Labels of the pods that may read the runners' status and give orders: the operator's own. */
  readonly operatorNamespace: string;
  readonly operatorLabels: Readonly<Record<string, string>>;
  /** Ports behind the API server's Service, as network policies see them; usually 443 and 6443. */
  readonly apiServerPorts: readonly number[];
}

export type ObservedRecord =
  | { readonly kind: "absent" }
  | { readonly kind: "present"; readonly uid: string; readonly record: VmRecord }
  /** A Lease of this name that is no record of this VM. */
  | { readonly kind: "unusable"; readonly message: string };

/** What runners and gateways say of their connection to each other; what is absent was not asked. */
export interface Attachment {
  /** Of a gateway: a runner is attached to it. Null: it does not answer. */
  readonly attached?: boolean | null;
  /** Of the runner in which the guest lives: for how long it has been saying that no gateway lets it in. */
  readonly detachedMs?: number;
}

export interface ObservedPod extends Attachment {
  readonly name: string;
  readonly uid: string;
  readonly component: Component;
  /** The number in its name. */
  readonly number: number;
  /** The boot that it belongs to. */
  readonly life: number;
  /** It has once been named by the record. */
  readonly role: "primary" | "backup" | null;
  readonly node: string | null;
  readonly ip: string | null;
  readonly createdMs: number;
  readonly phase: "Pending" | "Running" | "Succeeded" | "Failed" | "Unknown";
  readonly ready: boolean;
  /** When its container began to run; null: it has not. */
  readonly startedMs: number | null;
  readonly deleting: boolean;
  /** It still carries the operator's finalizer. */
  readonly held: boolean;
  /** The kubelet's word that the process is gone, with its exit code; null: it has not said so. */
  readonly terminated: { readonly exitCode: number; readonly message: string } | null;
  /** What keeps it from running, such as Unschedulable or ImagePullBackOff; null: nothing known. */
  readonly waiting: { readonly reason: string; readonly message: string } | null;
  /** Boot id of its node when it was first seen there; null: not noted yet. */
  readonly bootId: string | null;
  /** Hash of what it was made from (gateways). */
  readonly applied: string | null;
  /** What the runner says of itself; null: it was not asked yet, or does not answer. */
  readonly report: RunnerStatus | null;
}

export interface ObservedNode {
  readonly name: string;
  readonly ready: boolean;
  readonly schedulable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Of the running kernel: another one means that all processes of the earlier boot are gone. Null: not told. */
  readonly bootId: string | null;
  /** It carries the taint node.kubernetes.io/out-of-service: somebody says that it is off. */
  readonly outOfService: boolean;
}

export interface ObservedObject {
  readonly kind: ObjectKind;
  readonly name: string;
  readonly uid: string;
  /** The VM is its controller. */
  readonly ours: boolean;
  /** Hash of what was applied last; null: it was not applied by an operator. */
  readonly applied: string | null;
  /** Of a Service. */
  readonly clusterIp: string | null;
}

export type ObjectKind =
  | "Secret"
  | "Service"
  | "ServiceAccount"
  | "Role"
  | "RoleBinding"
  | "NetworkPolicy"
  | "PodDisruptionBudget";

export function objectKey(kind: ObjectKind, name: string): string {
  return `${kind}/${name}`;
}
