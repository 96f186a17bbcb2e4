/**
 * Every reason of a condition or an event, with what it means. The documentation is made from this
 * table, so each sentence is for users.
 */
export const reasons = {
  // Ready
  GuestRuns: "The guest runs, and clients reach it as far as its network goes.",
  Starting: "The runners are being started, or the guest boots.",
  GatewayNotReady: "The guest runs; clients do not reach it, because the gateway is not ready.",
  GuestNotReady: "The guest runs; no program of it accepts connections on the readiness port yet.",
  PoweredOff: "spec.powerState is Stopped, and the machine is off.",
  GuestPoweredOff:
    "The guest switched itself off. It stays off until powerState was Stopped and is Running again.",
  PoweringOff: "The machine is being switched off through the log.",
  PairLost:
    "Both halves are gone, and with them what was in the guest's memory. With onPairLost: Restart the machine is booted anew; with Hold it stays down until powerState was Stopped and is Running again.",
  PairUnreachable:
    "The record names runners that nobody hears of, and nothing proves that they are gone. They may live on a node that is cut off. If the node is off, say so with the taint node.kubernetes.io/out-of-service.",
  RecordLost:
    "The Lease with the record is missing or was changed by somebody else. Nothing of this machine can be started safely again; make another FTVirtualMachine.",
  KeyLost:
    "The Secret with the pair's key was deleted or made anew while the machine is on. The halves that live go on with the key that they have; new ones could not join them, so none is made. Stop and start the machine: it gets a new key.",
  NameTaken: "An object that this machine needs exists already and belongs to somebody else.",
  Deleting: "The FTVirtualMachine was deleted; the machine is switched off and its objects go.",
  // FaultTolerant
  PairComplete: "A backup executes the log: the loss of either node changes nothing for clients.",
  Disabled: "spec.faultTolerance.enabled is false.",
  NoSecondNode:
    "No node can take the second half: it needs one that differs in the topology key from the first half's, with room and with labels and taints that fit.",
  BackupStarting: "A backup is being started.",
  StateTransfer: "The state of the guest is on its way to the new backup.",
  ImageUnavailable: "A node cannot get the image of the runner.",
  VersionMismatch:
    "The new half has another version, processor or configuration than the primary, and cannot execute the same guest in lockstep.",
  RunnerCrashes: "The new half ends again and again; tries are spaced further apart.",
  PodRefused: "The API server does not take the pod, for instance because of a quota or a policy.",
  NotRunning: "The machine is off.",
  // Diverged
  DivergedRepeatedly:
    "Three backups in ten minutes did not have the primary's state. None is tried until the spec changes or the machine is started anew.",
  NoDivergence: "No backup differed from the primary lately.",
  // NetworkReady
  GatewayReady: "The gateway serves.",
  NetworkDisabled: "spec.network.enabled is false.",
  GatewayStarting: "The gateway is being started.",
  // Progressing
  Settled: "The machine is as the spec says.",
  Reconciling: "Something is being brought to what the spec says.",
  // RestartRequired
  SpecChanged:
    "A change of the spec takes effect when the machine is next started: set powerState to Stopped, and then to Running.",
  NewVersion:
    "The operator has another version of the runner than the one that the machine was started with. It takes effect when the machine is next started.",
  UpToDate: "The machine runs with what the spec says.",
  // Refused at run time
  BootFailed: "The guest cannot be booted: the kernel, the initrd or the volume cannot be used.",
  Trapped:
    "The guest, or a device of it, stopped the virtual machine at the same step in every half. It is not started again until the spec changes.",
  // Events only
  Created: "A pod or an object was made.",
  TookOver: "The backup took over from a lost primary.",
  HandedOver: "The primary handed over to the backup, as planned.",
  BackupLost: "The primary goes on without its backup.",
  BackupJoined: "A backup joined: the machine is fault tolerant.",
  RunnerReplaced: "A runner that is gone is replaced.",
  GatewayReplaced: "The gateway is replaced; connections through the old one break.",
  Restarted: "The machine is booted anew.",
  Divergence: "A backup did not have the primary's state, and stopped.",
} as const;

export type Reason = keyof typeof reasons;
