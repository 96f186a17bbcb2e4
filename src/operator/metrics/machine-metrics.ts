/**
 * The machines as the leader's plans see them: how many by phase and by condition, and on how many nodes
 * each one lives (1: no fault tolerance).
 */
import { Gauge, type Registry } from "prom-client";
import { ReadMetrics } from "../../platform/metrics.ts";
import type { Condition, Phase } from "../api/v1alpha1.ts";

export interface MachineReading {
  readonly phase: Phase;
  /** As the status says. */
  readonly conditions: readonly Pick<Condition, "type" | "status" | "reason">[];
  /** Different nodes that hold the named primary and the named backup: 0, 1 or 2. */
  readonly nodes: number;
  /** As the spec says: 2; 1 where fault tolerance is switched off; 0 where the machine is to be off. */
  readonly nodesWanted: number;
}

/** Zero is said too, so that a phase that nobody is in has a line in a graph. */
const phases: Readonly<Record<Phase, 0>> = {
  Pending: 0,
  Starting: 0,
  Running: 0,
  Synchronizing: 0,
  Unprotected: 0,
  Stopping: 0,
  Stopped: 0,
  Unreachable: 0,
  Lost: 0,
  Diverged: 0,
  Failed: 0,
  Terminating: 0,
};

/** Nobody waits for a machine that goes off, by order or by itself; a lost one is waited for. */
const offPhases: ReadonlySet<Phase> = new Set<Phase>(["Stopping", "Stopped", "Terminating"]);

interface Machine extends MachineReading {
  readonly namespace: string;
  readonly vm: string;
}

export class MachineMetrics {
  readonly #machines = new Map<string, Machine>();
  /** A standby says nothing, and a leader without machines says that there are none. */
  #leads = false;

  constructor(registry: Registry) {
    const read = new ReadMetrics(registry, "lockstep_");
    read.gaugeBy("phase", "vms", "Machines, by phase", () => this.#byPhase());
    this.#conditionGauge(registry);
    this.#nodesGauge(registry, "nodes", "Nodes that the machine lives on; 1: no fault tolerance");
    const wanted = "Nodes that it should live on: 2, 1 without fault tolerance, 0 when off";
    this.#nodesGauge(registry, "nodes_wanted", wanted);
  }

  /** After each reconciliation, with what it planned. */
  observe(namespace: string, vm: string, reading: MachineReading): void {
    const { phase, conditions, nodes } = reading;
    const nodesWanted = offPhases.has(phase) ? 0 : reading.nodesWanted;
    this.#machines.set(`${namespace}/${vm}`, {
      ...{ namespace, vm, phase, conditions, nodes, nodesWanted },
    });
  }

  /** The machine is gone. */
  forget(namespace: string, vm: string): void {
    this.#machines.delete(`${namespace}/${vm}`);
  }

  /** One that leads no more forgets all: another one tells. */
  setLeader(leads: boolean): void {
    this.#leads = leads;
    if (!leads) this.#machines.clear();
  }

  #byPhase(): Record<string, number> {
    if (!this.#leads) return {};
    const counts: Record<string, number> = { ...phases };
    for (const { phase } of this.#machines.values()) counts[phase] = (counts[phase] ?? 0) + 1;
    return counts;
  }

  #conditionGauge(registry: Registry): void {
    const machines = this.#machines;
    new Gauge({
      name: "lockstep_vms_by_condition",
      help: "Machines, by condition, its status and its reason",
      labelNames: ["condition", "status", "reason"],
      registers: [registry],
      collect() {
        this.reset();
        for (const { conditions } of machines.values()) {
          for (const { type, status, reason } of conditions) {
            this.inc({ condition: type, status, reason });
          }
        }
      },
    });
  }

  #nodesGauge(registry: Registry, which: "nodes" | "nodes_wanted", help: string): void {
    const machines = this.#machines;
    new Gauge({
      ...{ name: `lockstep_vm_${which}`, help, registers: [registry] },
      labelNames: ["namespace", "vm"],
      collect() {
        this.reset();
        for (const { namespace, vm, nodes, nodesWanted } of machines.values()) {
          this.set({ namespace, vm }, which === "nodes" ? nodes : nodesWanted);
        }
      },
    });
  }
}
