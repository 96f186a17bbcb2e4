/** What the objects of a VM are called, and the labels and annotations by which they are known. */

export const labels = {
  /** Name of the FTVirtualMachine. */
  vm: "lockstep.dev/vm",
  /** "runner" or "gateway". */
  component: "lockstep.dev/component",
  /** On a runner that the record names: "primary" or "backup". It stays when the record names it no more. */
  role: "lockstep.dev/role",
} as const;

export const annotations = {
  /** On an object that the operator keeps as it should be: hash of what it applied. */
  applied: "lockstep.dev/applied",
  /** On a pod: the number of the boot that it belongs to. */
  life: "lockstep.dev/life",
  /** On a runner's pod: the boot id of its node when it was first seen there. */
  bootId: "lockstep.dev/boot-id",
  /**
   * On the FTVirtualMachine, by its user: "whoever the record names at this epoch is gone", for when
   * nothing else proves it. The value is the epoch, so that it says nothing about a later pair.
   */
  provenGone: "lockstep.dev/proven-gone",
} as const;

/** On the FTVirtualMachine: it is switched off before it goes. */
export const machineFinalizer = "lockstep.dev/power-off";
/** On a runner's pod: the object stays until nobody needs the proof that its process is gone. */
export const runnerFinalizer = "lockstep.dev/runner";

/** Field manager of everything that the operator applies. */
export const fieldManager = "lockstep-operator";

/** Ports of the pods; the same in every one. */
export const ports = {
  /** Runner: logging channel and console (TLS with the VM's key), and heartbeats (UDP). */
  channel: 7100,
  /** Runner and gateway: probes, metrics and status (plain HTTP, reading only). */
  http: 7101,
  /** Runner: orders, such as to switch the VM off (HTTPS with the VM's key). */
  control: 7102,
  /** Gateway: for runners (TLS with the VM's key). */
  gateway: 7200,
  /** Gateway: the first published port; the next one has the next number. */
  firstPublished: 20_000,
} as const;

/** Objects of one VM, by name. */
export interface ObjectNames {
  /** The Lease that is the record. */
  readonly record: string;
  readonly key: string;
  readonly runner: string;
  readonly gateway: string;
  /** The Service for clients. */
  readonly service: string;
  /** The Service for runners. */
  readonly gatewayService: string;
  readonly disruptionBudget: string;
}

export function objectNames(vm: string): ObjectNames {
  return {
    record: vm,
    key: `${vm}-key`,
    runner: `${vm}-runner`,
    gateway: `${vm}-gateway`,
    service: vm,
    gatewayService: `${vm}-gateway`,
    disruptionBudget: `${vm}-runner`,
  };
}

export type Component = "runner" | "gateway";

export function podName(vm: string, component: Component, number: number): string {
  return `${vm}-${component}-${number}`;
}

/** The pod in which the runner of this nonce runs: a nonce is the pod's name, "_" and random digits. */
export function podOfNonce(nonce: string): string {
  const end = nonce.lastIndexOf("_");
  return end < 0 ? nonce : nonce.slice(0, end);
}
