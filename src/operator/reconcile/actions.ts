/** What a plan asks of the shell. Each is safe to repeat: the next observation may be an old one. */

import type { Reason } from "../api/reasons.ts";
import type { FTVirtualMachineStatus } from "../api/v1alpha1.ts";
import type { ObjectKind } from "./observation.ts";

/** A Kubernetes object as it is sent; its shape is checked by the API server. */
export type KubernetesObject = Readonly<Record<string, unknown>> & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
};

export type Action =
  | { readonly kind: "addFinalizer" }
  /** The VM may go. */
  | { readonly kind: "removeFinalizer" }
  /** Makes the Lease with epoch 0; one that exists is left alone. */
  | { readonly kind: "createRecord" }
  /** Makes the Secret with a new random key; one that exists is left alone. */
  | { readonly kind: "createKey"; readonly name: string; readonly object: KubernetesObject }
  /** Server-side apply of the whole object, with `annotations.applied` in it. */
  | { readonly kind: "apply"; readonly objectKind: ObjectKind; readonly object: KubernetesObject }
  /** Keys and records are never deleted: they go with the VM, which owns them. */
  | {
      readonly kind: "delete";
      readonly objectKind: Exclude<ObjectKind, "Secret">;
      readonly name: string;
    }
  /** A pod of this name that exists already is what was wanted. */
  | { readonly kind: "createPod"; readonly pod: KubernetesObject }
  /**
   * Only the pod with this uid. `force`: without waiting for a kubelet that may never answer; asked only
   * of a pod whose runner can do no harm any more.
   */
  | {
      readonly kind: "deletePod";
      readonly name: string;
      readonly uid: string;
      readonly force: boolean;
    }
  /** Nobody needs the proof of its end any more: its object may go. */
  | { readonly kind: "releasePod"; readonly name: string; readonly uid: string }
  | {
      readonly kind: "labelPod";
      readonly name: string;
      readonly uid: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }
  /** The guest is switched off through the log by its primary. */
  | { readonly kind: "powerOff"; readonly pod: string; readonly ip: string }
  /** The runner's connection to a gateway leads to one that serves nobody any more. */
  | { readonly kind: "redial"; readonly pod: string; readonly ip: string };

export interface PlannedEvent {
  readonly type: "Normal" | "Warning";
  readonly reason: Reason;
  readonly message: string;
}

export interface Plan {
  readonly actions: readonly Action[];
  /** As it should read now; the shell writes it if it differs. */
  readonly status: FTVirtualMachineStatus;
  readonly events: readonly PlannedEvent[];
  /** Look again after so long even if nothing changes; null: nothing depends on time. */
  readonly againInMs: number | null;
}
