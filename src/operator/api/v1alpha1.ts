/**
 * The API `lockstep.dev/v1alpha1`: an FTVirtualMachine as its users write and read it. These types
 * are the source of the CRD in `crds/` and of the API reference; their comments are what
 * `kubectl explain` shows. Tags of a comment (`@default`, `@minimum`, …) become parts of the schema;
 * `@rule` is a CEL rule, `@message` what the API server says when it does not hold.
 */

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
export interface ObjectMeta {
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
   * @rule !isQuantity(self) || quantity(self).compareTo(quantity('16Mi')) >= 0 && quantity(self).compareTo(quantity('1Gi')) <= 0
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

/** Either a guest that comes with Lockstep, or a kernel of your own. */
export interface BootSpec {
  /** default: a small Debian. tiny: a bare-metal program that prints numbers on its console. */
  readonly guest?: "default" | "tiny";
  /** A 32-bit Linux kernel with its initrd, read from a volume. */
  readonly kernel?: KernelSpec;
}

/** A Linux kernel of the user's, read from a volume that both nodes can mount. */
export interface KernelSpec {
  /** Where the files are: one volume source, as in a pod. It is mounted read-only in both runners. */
  readonly volume: VolumeSource;
  /**
   * Path of the kernel (bzImage) in the volume.
   * @minLength 1
   * @maxLength 256
   * @rule !self.startsWith("/") && !self.contains("..")
   * @message the kernel's path must be inside the volume: without a leading / and without ..
   */
  readonly path: string;
  /**
   * Path of the initial RAM disk in the volume.
   * @minLength 1
   * @maxLength 256
   * @rule !self.startsWith("/") && !self.contains("..")
   * @message the initrd's path must be inside the volume: without a leading / and without ..
   */
  readonly initrd: string;
  /**
   * The kernel's command line.
   * @default "console=ttyS0"
   * @maxLength 1024
   */
  readonly commandLine: string;
}

/**
 * A volume source, as in a pod: one of those that restricted Pod Security allows.
 * @rule [has(self.configMap), has(self.csi), has(self.ephemeral), has(self.image), has(self.persistentVolumeClaim), has(self.projected), has(self.secret)].filter(given, given).size() == 1
 * @message volume takes exactly one of configMap, csi, ephemeral, image, persistentVolumeClaim, projected and secret
 */
export type VolumeSource = {
  /** @preserveUnknownFields */
  readonly configMap?: Readonly<Record<string, unknown>>;
  /** @preserveUnknownFields */
  readonly csi?: Readonly<Record<string, unknown>>;
  /** @preserveUnknownFields */
  readonly ephemeral?: Readonly<Record<string, unknown>>;
  /**
   * An OCI image.
   * @preserveUnknownFields
   */
  readonly image?: Readonly<Record<string, unknown>>;
  /**
   * Both nodes mount it, so the claim must be ReadOnlyMany or ReadWriteMany.
   * @preserveUnknownFields
   */
  readonly persistentVolumeClaim?: Readonly<Record<string, unknown>>;
  /** @preserveUnknownFields */
  readonly projected?: Readonly<Record<string, unknown>>;
  /** @preserveUnknownFields */
  readonly secret?: Readonly<Record<string, unknown>>;
};

/**
 * The guest's network card and what of it is reachable from outside.
 * @rule self.enabled || size(self.ports) == 0
 * @message ports can only be published with network.enabled: true; take them away
 * @rule self.enabled || !has(self.readiness)
 * @message readiness can only be found out with network.enabled: true; take it away
 * @rule self.serviceType != 'ClusterIP' || self.ports.all(p, !has(p.nodePort))
 * @message a nodePort needs serviceType: NodePort or LoadBalancer; set it, or take the nodePort away
 */
export interface NetworkSpec {
  /**
   * false: the guest has no network, and there is no gateway.
   * @default true
   * @rule self == oldSelf
   * @message network.enabled cannot be changed; make another FTVirtualMachine
   */
  readonly enabled: boolean;
  /**
   * Type of the Service that leads to the guest's published ports.
   * @default "ClusterIP"
   */
  readonly serviceType: "ClusterIP" | "NodePort" | "LoadBalancer";
  /**
   * Ports of the guest that the Service publishes. A change replaces the gateway: open connections
   * break, the machine goes on.
   * @default []
   * @maxItems 32
   * @listType map
   * @listMapKeys name
   * @rule self.all(p, self.exists_one(q, q.port == p.port && q.protocol == p.protocol))
   * @message two of the ports have the same port and protocol; give each a port of its own
   * @rule self.all(p, self.exists_one(q, q.guestPort == p.guestPort && q.protocol == p.protocol))
   * @message two of the ports have the same guestPort and protocol; publish it once
   * @rule self.all(p, !has(p.nodePort) || self.exists_one(q, has(q.nodePort) && q.nodePort == p.nodePort && q.protocol == p.protocol))
   * @message two of the ports have the same nodePort and protocol; give each a nodePort of its own
   */
  readonly ports: readonly PublishedPortSpec[];
  /** When the guest counts as ready for clients; without it, as soon as it runs. */
  readonly readiness?: ReadinessSpec;
}

/** A port of the guest that clients reach. */
export interface PublishedPortSpec {
  /**
   * What the port is called in the Service.
   * @maxLength 15
   * @rule self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')
   * @message a port's name must be lower-case letters, digits and "-", with a letter or digit at both ends, such as http
   */
  readonly name: string;
  /**
   * Port of the Service.
   * @asType integer
   * @minimum 1
   * @maximum 65535
   */
  readonly port: number;
  /**
   * Port of the guest.
   * @asType integer
   * @minimum 1
   * @maximum 65535
   */
  readonly guestPort: number;
  /**
   * What travels through it.
   * @default "TCP"
   */
  readonly protocol: "TCP" | "UDP";
  /**
   * Port of every node, where serviceType is NodePort or LoadBalancer; left out, the cluster picks one.
   * @asType integer
   * @minimum 1
   * @maximum 65535
   */
  readonly nodePort?: number;
}

/** How it is found out whether the guest is ready. */
export interface ReadinessSpec {
  /**
   * The guest is ready when a program of it accepts connections on this TCP port.
   * @asType integer
   * @minimum 1
   * @maximum 65535
   */
  readonly tcpPort: number;
}

/**
 * How the pair watches itself. Changes but to `enabled` and `onPairLost` take effect when the machine
 * is next started.
 * @rule self.timeoutMilliseconds > 3 * self.heartbeatMilliseconds
 * @message timeoutMilliseconds must be more than 3 times heartbeatMilliseconds, or two lost heartbeats look like a failure
 */
export interface FaultToleranceSpec {
  /**
   * false: one runner, no backup; the machine is lost with its node.
   * @default true
   */
  readonly enabled: boolean;
  /**
   * Time between two heartbeats.
   * @asType integer
   * @default 50
   * @minimum 10
   * @maximum 1000
   */
  readonly heartbeatMilliseconds: number;
  /**
   * Silence after which the other half counts as lost. A false alarm costs redundancy for some
   * seconds, never safety.
   * @asType integer
   * @default 500
   * @minimum 301
   * @maximum 10000
   */
  readonly timeoutMilliseconds: number;
  /**
   * How far the backup may be behind in executing before the primary is slowed.
   * @asType integer
   * @default 20
   * @minimum 10
   * @maximum 1000
   */
  readonly lagTargetMilliseconds: number;
  /**
   * When both halves are proven gone. Restart: the machine is booted anew. Hold: it stays down until
   * powerState was Stopped and is Running again.
   * @default "Restart"
   */
  readonly onPairLost: "Restart" | "Hold";
}

/** Where the runners may be; changes concern runners that are made from then on. */
export interface PlacementSpec {
  /**
   * The halves never share a value of this label of nodes.
   * @default "kubernetes.io/hostname"
   * @maxLength 317
   * @rule self.matches('^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$')
   * @message topologyKey must be the key of a label of nodes, such as topology.kubernetes.io/zone
   */
  readonly topologyKey: string;
  /**
   * Labels that a node must have.
   * @default {}
   * @maxProperties 32
   */
  readonly nodeSelector: Readonly<Record<string, string>>;
  /**
   * As in a pod.
   * @default []
   * @maxItems 32
   */
  readonly tolerations: readonly Toleration[];
  /**
   * Node affinity of the runners, as in a pod.
   * @preserveUnknownFields
   */
  readonly nodeAffinity?: Readonly<Record<string, unknown>>;
  /**
   * PriorityClass of the runners.
   * @maxLength 253
   * @rule self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')
   * @message priorityClassName must be the name of a PriorityClass; take it away to have none
   */
  readonly priorityClassName?: string;
  /** Of each runner; left out: what the memory of the guest calls for. */
  readonly resources?: ResourcesSpec;
}

/**
 * A taint of nodes that does not keep a runner away.
 * @rule has(self.key) && self.key != "" || has(self.operator) && self.operator == "Exists"
 * @message a toleration without key tolerates all taints and needs operator: Exists; name a key, or set the operator
 * @rule !has(self.value) || self.value == "" || !has(self.operator) || self.operator == "Equal"
 * @message a toleration's value is compared only with operator: Equal; take the value away, or set the operator
 * @rule !has(self.tolerationSeconds) || has(self.effect) && self.effect == "NoExecute"
 * @message tolerationSeconds needs effect: NoExecute; take it away, or set the effect
 */
export interface Toleration {
  /** @maxLength 317 */
  readonly key?: string;
  readonly operator?: "Exists" | "Equal";
  /** @maxLength 63 */
  readonly value?: string;
  readonly effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  /** @asType integer */
  readonly tolerationSeconds?: number;
}

/** Quantities by the resource's name, as in a container. */
export interface ResourcesSpec {
  /**
   * @intOrString
   * @maxProperties 16
   */
  readonly requests?: Readonly<Record<string, string>>;
  /**
   * @intOrString
   * @maxProperties 16
   */
  readonly limits?: Readonly<Record<string, string>>;
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
  /** That the record was made; it never is again for this machine. */
  readonly record?: { readonly uid: string };
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
   * @listType map
   * @listMapKeys type
   */
  readonly conditions?: readonly Condition[];
}

export interface PodPlace {
  readonly pod: string;
  readonly node?: string;
}

export interface LastFailover {
  /** @format date-time */
  readonly time: string;
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
  readonly memory: string;
  readonly boot: BootSpec;
  /** @asType integer */
  readonly heartbeatMilliseconds: number;
  /** @asType integer */
  readonly timeoutMilliseconds: number;
  /** @asType integer */
  readonly lagTargetMilliseconds: number;
  /**
   * The record's epoch at which this boot was permitted; 0 for the first.
   * @asType integer
   */
  readonly fromEpoch: number;
}

export interface RunnerEnd {
  /** @format date-time */
  readonly time: string;
  readonly pod: string;
  /**
   * The boot that it belonged to.
   * @asType integer
   */
  readonly life: number;
  readonly reason: RunnerEndReason;
  /**
   * The last that it said.
   * @maxLength 1024
   */
  readonly message: string;
}

/** Why a runner ended. Left and NodeLost do not count against it. */
export type RunnerEndReason =
  | "Diverged"
  | "Crashed"
  | "Refused"
  | "Trapped"
  | "Unbootable"
  | "Left"
  | "NodeLost";

export interface Condition {
  /** @maxLength 316 */
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** @asType integer */
  readonly observedGeneration?: number;
  /** @format date-time */
  readonly lastTransitionTime: string;
  /**
   * @minLength 1
   * @maxLength 1024
   */
  readonly reason: string;
  /** @maxLength 32768 */
  readonly message: string;
}
