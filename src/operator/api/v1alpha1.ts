/**
 * The API `lockstep.dev/v1alpha1`: an FTVirtualMachine as its users write and read it. These types
 * are the source of the CRD in `crds/` and of the API reference; their comments are what
 * `kubectl explain` shows. Tags of a comment (`@default`, `@minimum`, …) become parts of the schema;
 * `@rule` is a CEL rule, `@message` what the API server says when it does not hold.
 */

import type { BootSpec, FaultToleranceSpec, NetworkSpec, PlacementSpec } from "./v1alpha1-spec.ts";

export const apiGroup = "lockstep.dev";
export const apiVersion = "lockstep.dev/v1alpha1";
export const kind = "FTVirtualMachine";
export const plural = "ftvirtualmachines";

/**
 * A fault-tolerant virtual machine: a primary and a backup on two nodes execute the same guest.
 * @rule self.metadata.name.matches('^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$')
 * @message metadata.name must be at most 40 lower-case letters, digits and "-", begin with a letter and end with a letter or digit: pods and Services are called after it
 */
export interface FTVirtualMachine {
  readonly apiVersion: typeof apiVersion;
  readonly kind: typeof kind;
  readonly metadata: ObjectMeta;
  readonly spec: FTVirtualMachineSpec;
  readonly status?: FTVirtualMachineStatus;
}

/** What is used of the metadata that every object has. */
interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly generation: number;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly annotations?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
}

/** What the user wants. The API server fills in every default. */
export interface FTVirtualMachineSpec {
  /**
   * Running: the machine is on. Stopped: it is switched off, through the log, so that both halves
   * execute its end; nothing of it runs. What was in its memory is gone then.
   * @default "Running"
   */
  readonly powerState: "Running" | "Stopped";
  /**
   * Memory of the guest: an even number of MiB from 16Mi to 1Gi. A change takes effect when the
   * machine is next started.
   * @default "128Mi"
   * @maxLength 8
   * @rule self.matches('^[1-9][0-9]*(Mi|Gi)$')
   * @message memory must be a whole number of Mi or Gi, such as 128Mi
   * @rule !self.matches('^[1-9][0-9]*(Mi|Gi)$') || quantity(self).compareTo(quantity('16Mi')) >= 0 && quantity(self).compareTo(quantity('1Gi')) <= 0
   * @message memory must be from 16Mi to 1Gi
   * @rule !self.matches('^[1-9][0-9]*(Mi|Gi)$') || quantity(self).asInteger() % 2097152 == 0
   * @message memory must be an even number of MiB: add or take away 1Mi
   */
  readonly memory: string;
  /**
   * What is booted. A change takes effect when the machine is next started.
   * @default {"guest": "default"}
   * @mapType atomic
   * @rule has(self.kernel) != has(self.guest)
   * @message boot takes either guest or kernel: give one of them and take the other away (a guest that was filled in, with guest: null)
   */
  readonly boot: BootSpec;
  /** @default {} */
  readonly network: NetworkSpec;
  /** @default {} */
  readonly faultTolerance: FaultToleranceSpec;
  /** @default {} */
  readonly placement: PlacementSpec;
}

/** One word for the machine as a whole. */
export type Phase =
  | "Pending"
  | "Starting"
  | "Running"
  | "Synchronizing"
  | "Unprotected"
  | "Unreachable"
  | "Stopping"
  | "Stopped"
  | "Lost"
  | "Diverged"
  | "Failed"
  | "Terminating";

/** What the operator has seen. Nobody else writes it. */
export interface FTVirtualMachineStatus {
  /**
   * The generation of the spec that this status is about.
   * @asType integer
   */
  readonly observedGeneration?: number;
  readonly phase?: Phase;
  /**
   * Epoch of the record: grows with every change of roles.
   * @asType integer
   */
  readonly epoch?: number;
  /** The runner in which the guest lives. */
  readonly primary?: PodPlace;
  /** The runner that takes over when the primary is lost. */
  readonly backup?: PodPlace;
  /** The pod that clients talk to; it survives a failover. */
  readonly gateway?: PodPlace;
  /**
   * How far the backup is behind, rounded up to one of a few steps.
   * @asType integer
   */
  readonly lagMilliseconds?: number;
  /**
   * Take-overs since the machine was made.
   * @asType integer
   */
  readonly failovers?: number;
  /** The last take-over. */
  readonly lastFailover?: LastFailover;
  /**
   * How often the machine was booted anew after both halves were lost, or after it was stopped.
   * @asType integer
   */
  readonly restarts?: number;
  /**
   * Backups that stopped because their state differed.
   * @asType integer
   */
  readonly divergences?: number;
  /** Where clients reach the guest. */
  readonly address?: string;
  /** The Secret with the pair's key: while the machine is on there cannot be another one. */
  readonly key?: KeyMark;
  /** Address of the Service for runners, which they were given when they were made. */
  readonly gatewayAddress?: string;
  /** That the record was made; it never is again for this machine. */
  readonly record?: RecordMark;
  /** What the running guest was started with; absent: it is off. */
  readonly running?: RunningSpec;
  /**
   * Number of the last pod that was made.
   * @asType integer
   */
  readonly lastPod?: number;
  /** The last ends of runners, newest last, by which the operator spaces its tries. */
  readonly recentEnds?: readonly RunnerEnd[];
  /**
   * Ready, FaultTolerant, Synchronizing, Diverged, NetworkReady, Progressing and RestartRequired.
   * @listType map
   * @listMapKeys type
   */
  readonly conditions?: readonly Condition[];
}

interface KeyMark {
  /** Of the Secret with the key. */
  readonly uid: string;
}

interface RecordMark {
  /** Of the Lease that is the record. */
  readonly uid: string;
}

export interface PodPlace {
  /** Name of the pod. */
  readonly pod: string;
  /** Name of its node. */
  readonly node?: string;
}

export interface LastFailover {
  /**
   * When the operator saw it.
   * @format date-time
   */
  readonly time: string;
  /** Why the primary counted as lost. */
  readonly reason: string;
  /**
   * From the moment the primary was suspected until the guest ran on.
   * @asType integer
   */
  readonly gapMilliseconds: number;
}

/** What cannot change while the guest lives: new halves are started with the same. */
export interface RunningSpec {
  /**
   * 1 for the first boot; each boot has the next number.
   * @asType integer
   */
  readonly life: number;
  /** Of the runners; the operator may have a newer one. */
  readonly image: string;
  /**
   * Version of the arguments that runners and gateways of this life are given, which is one that their
   * image knows; absent: 1.
   * @asType integer
   */
  readonly arguments?: number;
  /** As in the spec then. */
  readonly memory: string;
  /** As in the spec then. */
  readonly boot: BootSpec;
  /**
   * As in the spec then.
   * @asType integer
   */
  readonly heartbeatMilliseconds: number;
  /**
   * As in the spec then.
   * @asType integer
   */
  readonly timeoutMilliseconds: number;
  /**
   * As in the spec then.
   * @asType integer
   */
  readonly lagTargetMilliseconds: number;
  /** off: its primary was told to switch it off, as powerState said. */
  readonly ordered?: "off";
  /**
   * The record's epoch at which this boot was permitted; 0 for the first.
   * @asType integer
   */
  readonly fromEpoch: number;
}

export interface RunnerEnd {
  /**
   * When the operator saw it.
   * @format date-time
   */
  readonly time: string;
  /** Name of its pod. */
  readonly pod: string;
  /**
   * The boot that it belonged to.
   * @asType integer
   */
  readonly life: number;
  /**
   * Of the record at that time.
   * @asType integer
   */
  readonly epoch: number;
  /**
   * The generation of the spec at that time: after a change of it there are new tries.
   * @asType integer
   */
  readonly generation: number;
  readonly reason: RunnerEndReason;
  /**
   * The last that it said.
   * @maxLength 1024
   */
  readonly message: string;
}

/** Why a runner ended. Left, LeftAlone, Killed and NodeLost do not count against the next one. */
export type RunnerEndReason =
  | "Diverged"
  | "Crashed"
  | "Refused"
  | "Trapped"
  | "Unbootable"
  | "TurnedAway"
  | "Left"
  | "LeftAlone"
  | "Killed"
  | "NodeLost";

/** A condition as in all of Kubernetes; docs/troubleshooting.md has its reasons. */
export interface Condition {
  /**
   * What it is about.
   * @maxLength 316
   */
  readonly type: string;
  /** Unknown: nothing is known yet. */
  readonly status: "True" | "False" | "Unknown";
  /**
   * The generation of the spec that it is about.
   * @asType integer
   */
  readonly observedGeneration?: number;
  /**
   * When its status last changed.
   * @format date-time
   */
  readonly lastTransitionTime: string;
  /**
   * Why, in one word.
   * @minLength 1
   * @maxLength 1024
   */
  readonly reason: string;
  /**
   * Why, in a sentence.
   * @maxLength 32768
   */
  readonly message: string;
}
