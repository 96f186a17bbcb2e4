/**
 * The parts of the spec of `lockstep.dev/v1alpha1`. As in `v1alpha1.ts`, comments are what users read, and
 * tags become parts of the schema.
 */

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
   * @maxLength 256
   * @rule self != "" && !self.startsWith("/") && !self.contains("..")
   * @message path must name the kernel's file inside the volume: without a leading / and without ..
   */
  readonly path: string;
  /**
   * Path of the initial RAM disk in the volume.
   * @maxLength 256
   * @rule self != "" && !self.startsWith("/") && !self.contains("..")
   * @message initrd must name a file inside the volume: without a leading / and without ..
   */
  readonly initrd: string;
  /**
   * The kernel's command line.
   * @default "console=ttyS0 tsc=reliable"
   * @maxLength 1024
   */
  readonly commandLine: string;
}

/**
 * A volume source, as in a pod. Whoever may make a machine may read its volume: a kernel prints what it likes.
 * So there are no Secrets among the sources, nor kinds through which one gets at Secrets: secret, projected
 * and csi.
 * @rule [has(self.configMap), has(self.ephemeral), has(self.image), has(self.persistentVolumeClaim)].filter(given, given).size() == 1
 * @message volume takes exactly one of configMap, ephemeral, image and persistentVolumeClaim
 */
type VolumeSource = {
  /**
   * A ConfigMap of the namespace.
   * @preserveUnknownFields
   */
  readonly configMap?: Readonly<Record<string, unknown>>;
  /**
   * A claim that is made for each pod.
   * @preserveUnknownFields
   */
  readonly ephemeral?: Readonly<Record<string, unknown>>;
  /**
   * An OCI image, by its reference.
   * @preserveUnknownFields
   */
  readonly image?: Readonly<Record<string, unknown>>;
  /**
   * Both nodes mount it, so the claim must be ReadOnlyMany or ReadWriteMany.
   * @preserveUnknownFields
   */
  readonly persistentVolumeClaim?: Readonly<Record<string, unknown>>;
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
interface ReadinessSpec {
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
   * Taints of nodes that do not keep the runners away, as in a pod.
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
 * Taints that are tolerated.
 * @rule has(self.key) && self.key != "" || has(self.operator) && self.operator == "Exists"
 * @message a toleration without key tolerates all taints and needs operator: Exists; name a key, or set the operator
 * @rule !has(self.value) || self.value == "" || !has(self.operator) || self.operator == "Equal"
 * @message a toleration's value is compared only with operator: Equal; take the value away, or set the operator
 * @rule !has(self.tolerationSeconds) || has(self.effect) && self.effect == "NoExecute"
 * @message tolerationSeconds needs effect: NoExecute; take it away, or set the effect
 */
interface Toleration {
  /**
   * Key of the taint; left out with operator Exists: all taints.
   * @maxLength 317
   */
  readonly key?: string;
  /** Exists: whatever the taint's value. Equal, or left out: only this value. */
  readonly operator?: "Exists" | "Equal";
  /**
   * Value of the taint.
   * @maxLength 63
   */
  readonly value?: string;
  /** Effect of the taint; left out: all effects. */
  readonly effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  /**
   * How long a runner stays on a node after it got the taint; left out: for ever.
   * @asType integer
   */
  readonly tolerationSeconds?: number;
}

/** Quantities by the resource's name, as in a container. */
export interface ResourcesSpec {
  /**
   * What a node must have to spare, by name: cpu, memory and others.
   * @intOrString
   * @maxProperties 16
   */
  readonly requests?: Readonly<Record<string, string>>;
  /**
   * What a runner may use at most, by name.
   * @intOrString
   * @maxProperties 16
   */
  readonly limits?: Readonly<Record<string, string>>;
}
