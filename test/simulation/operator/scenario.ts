/** What a seed is drawn into: the cluster, the machine's first spec, everyday trouble, and faults with their times. */
import type { Kind } from "./world/api-server.ts";

/** Of the machine's pods: one that the record names, one that it never named, or the gateway. */
export type Whom = "primary" | "backup" | "candidate" | "gateway";

export type Fault = { readonly atMs: number } & (
  | { readonly kind: "deletePod"; readonly whom: Whom; readonly force: boolean }
  | { readonly kind: "evict"; readonly whom: Whom }
  | { readonly kind: "kill"; readonly whom: Whom }
  /** The next runners that start end with this code. */
  | { readonly kind: "endings"; readonly code: number; readonly count: number }
  /** All at once; `word`: what an administrator says to Kubernetes after ten seconds. */
  | {
      readonly kind: "powerCut";
      readonly nodes: readonly number[];
      readonly forMs: number;
      readonly word: "nothing" | "out-of-service" | "node deleted" | "proven gone";
    }
  | {
      readonly kind: "partition" | "freeze" | "kubeletDead" | "cordon";
      readonly nodes: readonly number[];
      readonly forMs: number;
    }
  | { readonly kind: "reboot"; readonly nodes: readonly number[] }
  | { readonly kind: "apiDown" | "quota" | "slowStarts"; readonly forMs: number }
  | { readonly kind: "failingWrites"; readonly forMs: number; readonly share: number }
  | { readonly kind: "operatorDown" | "operatorFrozen"; readonly forMs: number }
  | { readonly kind: "leaderChange" }
  | {
      readonly kind: "slowWatch" | "brokenWatch";
      readonly of: Kind;
      readonly forMs: number;
    }
  | { readonly kind: "spec"; readonly change: SpecChange }
  | { readonly kind: "guestPowersOff" }
  | { readonly kind: "deleteMachine"; readonly againAfterMs: number | null }
  | { readonly kind: "deleteRecord" }
  | { readonly kind: "deleteObject"; readonly of: "Service" | "ServiceAccount" | "Role" | "Secret" }
  | { readonly kind: "foreign"; readonly of: "Service" | "ServiceAccount" | "Pod" | "Lease" }
);

export type SpecChange =
  | { readonly powerState: "Running" | "Stopped" }
  | { readonly enabled: boolean }
  | { readonly memory: string }
  | { readonly ports: number }
  | { readonly network: boolean }
  | { readonly onPairLost: "Restart" | "Hold" };

export interface OperatorScenario {
  readonly seed: number;
  readonly nodes: number;
  /** How late a watch is in the ordinary course of things, at most. */
  readonly watchMs: number;
  readonly onPairLost: "Restart" | "Hold";
  readonly faultTolerant: boolean;
  /** Faults come until then. */
  readonly calmMs: number;
  readonly faults: readonly Fault[];
}
