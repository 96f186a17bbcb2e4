/** What strikes, and what mends it. */
import { annotations, podOfNonce } from "../../../../src/operator/api/names.ts";
import type { FTVirtualMachineSpec } from "../../../../src/operator/api/v1alpha1.ts";
import type { Fault, SpecChange, Whom } from "../scenario.ts";
import type { SimPod } from "./api-server.ts";
import type { Computer } from "./computer.ts";
import { componentOf, isPodReady, outOfServiceTaint } from "./controllers.ts";
import { vmName, type World } from "./world.ts";

/** An administrator notices that a node is off after this. */
const noticeMs = 10_000;

export class Faults {
  readonly #world: World;
  #leader = 0;
  /** The machine is made again even if calm comes first. */
  #owesMachine = false;

  constructor(world: World) {
    this.#world = world;
    for (const fault of world.scenario.faults) {
      world.agenda.after(fault.atMs, () => {
        world.disturb();
        this.#strike(fault);
      });
    }
    world.agenda.after(world.scenario.calmMs, () => this.#calm());
  }

  #strike(fault: Fault): void {
    const world = this.#world;
    switch (fault.kind) {
      case "deletePod":
        this.#onPod(fault.whom, (pod) =>
          world.api.deletePod(pod, fault.force ? 0 : null, world.timestamp()),
        );
        return;
      case "evict":
        this.#onPod(fault.whom, (pod) => this.#evict(pod));
        return;
      case "kill":
        this.#onPod(fault.whom, (pod) => world.runnerInPod(pod.metadata.uid)?.kill());
        return;
      case "endings":
        for (let i = 0; i < fault.count; i++) world.dooms.push(fault.code);
        return;
      case "powerCut":
        this.#powerCut(fault);
        return;
      case "reboot":
        for (const computer of this.#computers(fault.nodes)) {
          computer.powerOff();
          this.#after(3_000, () => this.#bringBack(computer));
        }
        return;
      case "partition":
        this.#onComputers(fault, (computer, on) => {
          computer.partitioned = on;
        });
        return;
      case "freeze":
        this.#onComputers(fault, (computer, on) => {
          computer.frozen = on;
        });
        return;
      case "kubeletDead":
        this.#onComputers(fault, (computer, on) => {
          computer.kubeletAlive = !on;
        });
        return;
      case "cordon":
        this.#onComputers(fault, (computer, on) => this.#cordon(computer, on));
        return;
      case "spec":
        if ("powerState" in fault.change && fault.change.powerState === "Stopped") {
          world.stoppedMs = world.nowMs;
        }
        world.changeSpec((spec) => changed(spec, fault.change));
        return;
      default:
        this.#strikeRest(fault);
        return;
    }
  }

  #strikeRest(
    fault: Exclude<
      Fault,
      {
        kind:
          | "deletePod"
          | "evict"
          | "kill"
          | "endings"
          | "powerCut"
          | "reboot"
          | "partition"
          | "freeze"
          | "kubeletDead"
          | "cordon"
          | "spec";
      }
    >,
  ): void {
    const world = this.#world;
    switch (fault.kind) {
      case "apiDown":
        world.apiUp = false;
        this.#after(fault.forMs, () => {
          world.apiUp = true;
        });
        return;
      case "quota":
        world.quota = true;
        this.#after(fault.forMs, () => {
          world.quota = false;
        });
        return;
      case "slowStarts":
        world.slowStarts = true;
        this.#after(fault.forMs, () => {
          world.slowStarts = false;
        });
        return;
      case "failingWrites":
        world.failShare = fault.share;
        this.#after(fault.forMs, () => {
          world.failShare = 0;
        });
        return;
      case "guestPowersOff": {
        const primary = world.runners.find(({ named, live }) => named === "primary" && live);
        if (primary !== undefined) primary.ordered = "guest";
        return;
      }
      case "deleteMachine":
        this.#deleteMachine(fault.againAfterMs);
        return;
      case "deleteRecord":
        if (!world.foreign.has(vmName)) world.api.erase("Lease", vmName);
        return;
      case "deleteObject": {
        const suffix = { Service: "", ServiceAccount: "-runner", Role: "-runner", Secret: "-key" };
        world.api.erase(fault.of, `${vmName}${suffix[fault.of]}`);
        return;
      }
      case "foreign":
        this.#foreign(fault.of);
        return;
      default:
        this.#strikeOperator(fault);
        return;
    }
  }

  #strikeOperator(
    fault: Extract<
      Fault,
      { kind: "operatorDown" | "operatorFrozen" | "leaderChange" | "slowWatch" | "brokenWatch" }
    >,
  ): void {
    const leader = this.#world.operators[this.#leader];
    if (leader === undefined) return;
    switch (fault.kind) {
      case "operatorDown":
        leader.kill();
        this.#after(fault.forMs, () => this.#startLeader());
        return;
      case "operatorFrozen":
        leader.frozen = true;
        this.#after(fault.forMs, () => leader.thaw());
        return;
      case "leaderChange": {
        leader.kill();
        leader.frozen = false;
        this.#leader = 1 - this.#leader;
        this.#world.operators[this.#leader]?.lead();
        return;
      }
      case "slowWatch":
        leader.view.slow(fault.of, fault.forMs);
        return;
      case "brokenWatch":
        leader.view.breakOff(fault.of, fault.forMs);
        return;
    }
  }

  #calm(): void {
    const world = this.#world;
    world.apiUp = true;
    world.quota = false;
    world.slowStarts = false;
    world.failShare = 0;
    world.dooms.length = 0;
    for (const computer of world.computers) this.#mend(computer);
    for (const [name, { kind }] of world.foreign) world.api.erase(kind, name);
    world.foreign.clear();
    if (this.#owesMachine && world.vm === null) this.#remake();
    for (const operator of world.operators) {
      operator.view.calm();
      if (operator.frozen) operator.thaw();
    }
    this.#startLeader();
  }

  #startLeader(): void {
    const leader = this.#world.operators[this.#leader];
    if (leader?.leads === false) leader.start();
  }

  #mend(computer: Computer): void {
    computer.partitioned = false;
    computer.frozen = false;
    computer.kubeletAlive = true;
    this.#cordon(computer, false);
    this.#bringBack(computer);
  }

  #bringBack(computer: Computer): void {
    if (computer.powered) return;
    // Whoever said that it is off takes the word back before it is on.
    const node = this.#world.api.get("Node", computer.name);
    if (node?.spec?.taints !== undefined) {
      const { taints: _, ...spec } = node.spec;
      this.#world.api.put("Node", { ...node, spec });
    }
    computer.powerOn();
  }

  #powerCut({ nodes, forMs, word }: Extract<Fault, { kind: "powerCut" }>): void {
    for (const computer of this.#computers(nodes)) {
      computer.powerOff();
      const boot = computer.bootNumber;
      this.#after(noticeMs, () => {
        if (!computer.powered && computer.bootNumber === boot) this.#tell(computer, word);
      });
      this.#after(Math.max(forMs, 3_000), () => this.#bringBack(computer));
    }
  }

  /** An administrator, who has seen that the computer is off. */
  #tell(computer: Computer, word: Extract<Fault, { kind: "powerCut" }>["word"]): void {
    const { api, record, runnerNamed, vm } = {
      api: this.#world.api,
      record: this.#world.record,
      vm: this.#world.vm,
      runnerNamed: (nonce: string) => this.#world.runnerNamed(nonce),
    };
    const node = api.get("Node", computer.name);
    switch (word) {
      case "nothing":
        return;
      case "out-of-service":
        if (node !== null) {
          api.put("Node", {
            ...node,
            spec: { ...node.spec, taints: [{ key: outOfServiceTaint }] },
          });
        }
        return;
      case "node deleted":
        computer.unregistered = true;
        api.erase("Node", computer.name);
        return;
      case "proven gone": {
        const named = [record?.primary, record?.backup].filter((nonce) => nonce != null);
        const gone = named.every((nonce) => runnerNamed(nonce)?.alive !== true);
        if (vm === null || record === null || !gone || vm.metadata.uid !== record.vm) return;
        const words = {
          ...vm.metadata.annotations,
          [annotations.provenGone]: String(record.epoch),
        };
        api.put("FTVirtualMachine", { ...vm, metadata: { ...vm.metadata, annotations: words } });
      }
    }
  }

  #deleteMachine(againAfterMs: number | null): void {
    const { vm, api } = this.#world;
    if (vm === null) return;
    api.deleteMachine(vm, this.#world.timestamp());
    if (againAfterMs === null) return;
    this.#owesMachine = true;
    this.#after(againAfterMs, () => this.#remake());
  }

  #remake(): void {
    if (this.#world.vm === null) {
      this.#owesMachine = false;
      this.#world.makeMachine();
    } else if (this.#world.vm.metadata.deletionTimestamp !== undefined) {
      this.#after(1_000, () => this.#remake());
    }
  }

  #evict(pod: SimPod): void {
    if (componentOf(pod) === "runner") {
      const healthy = this.#world.api
        .list("Pod")
        .filter((other) => componentOf(other) === "runner" && isPodReady(other)).length;
      if (isPodReady(pod) ? healthy < 2 : healthy < 1) return;
    }
    this.#world.api.deletePod(pod, null, this.#world.timestamp());
  }

  #onPod(whom: Whom, act: (pod: SimPod) => void): void {
    const { api, record } = this.#world;
    const named = [record?.primary, record?.backup].map((n) => (n == null ? null : podOfNonce(n)));
    const pod = api.list("Pod").find((other) => {
      if (this.#world.foreign.has(other.metadata.name)) return false;
      if (componentOf(other) === "gateway") return whom === "gateway";
      const at = named.indexOf(other.metadata.name);
      return whom === "primary"
        ? at === 0
        : whom === "backup"
          ? at === 1
          : whom === "candidate" && at < 0;
    });
    if (pod !== undefined) act(pod);
  }

  #foreign(kind: Extract<Fault, { kind: "foreign" }>["of"]): void {
    const { api } = this.#world;
    const next = (this.#world.vm?.status?.lastPod ?? 0) + 2;
    const name =
      kind === "Pod"
        ? `${vmName}-runner-${next}`
        : kind === "ServiceAccount"
          ? `${vmName}-runner`
          : vmName;
    const metadata = { name, namespace: "default", uid: api.newUid(), resourceVersion: "0" };
    const row =
      kind === "Pod"
        ? api.create("Pod", {
            ...{
              metadata,
              spec: { nodeName: "elsewhere", terminationGracePeriodSeconds: 1, containers: [] },
            },
            status: { phase: "Succeeded" },
          })
        : api.create(kind, { metadata });
    if (row !== null)
      this.#world.foreign.set(name, { kind, version: row.metadata.resourceVersion });
  }

  #cordon(computer: Computer, on: boolean): void {
    const node = this.#world.api.get("Node", computer.name);
    if (node === null || (node.spec?.unschedulable ?? false) === on) return;
    this.#world.api.put("Node", { ...node, spec: { ...node.spec, unschedulable: on } });
  }

  #onComputers(
    { nodes, forMs }: { readonly nodes: readonly number[]; readonly forMs: number },
    act: (computer: Computer, on: boolean) => void,
  ): void {
    for (const computer of this.#computers(nodes)) {
      act(computer, true);
      this.#after(forMs, () => act(computer, false));
    }
  }

  #computers(nodes: readonly number[]): readonly Computer[] {
    return this.#world.computers.filter((_, index) => nodes.includes(index));
  }

  #after(ms: number, act: () => void): void {
    this.#world.agenda.after(ms, () => {
      this.#world.disturb();
      act();
    });
  }
}

function changed(spec: FTVirtualMachineSpec, change: SpecChange): FTVirtualMachineSpec {
  const { faultTolerance, network } = spec;
  if ("enabled" in change) return { ...spec, faultTolerance: { ...faultTolerance, ...change } };
  if ("onPairLost" in change) return { ...spec, faultTolerance: { ...faultTolerance, ...change } };
  if ("network" in change) return { ...spec, network: { ...network, enabled: change.network } };
  if ("ports" in change) {
    const ports = Array.from({ length: change.ports }, (_, index) => ({
      ...{
        name: `port-${index}`,
        port: 7_000 + index,
        guestPort: 7_000 + index,
        protocol: "TCP" as const,
      },
    }));
    return { ...spec, network: { ...network, ports } };
  }
  return { ...spec, ...change };
}
