/** Makes the faults of a scenario strike, and end. */
import { unreachable } from "../../../src/shared/assert.ts";
import type { Node } from "../events.ts";
import type { Fault } from "../scenario.ts";
import { turnMs } from "./vm-thread.ts";
import type { World } from "./world.ts";

type FaultOf<K extends Fault["kind"]> = Extract<Fault, { readonly kind: K }>;
type LifeFault = FaultOf<"crash" | "crash at effect" | "terminate" | "power off">;
type ProcessFault = FaultOf<
  | "freeze"
  | "freeze at effect"
  | "stall"
  | "wedge"
  | "slow"
  | "clock jump"
  | "clock rate"
  | "move fails"
>;
type NetworkFault = FaultOf<"partition" | "delay" | "cut" | "corrupt">;
type OutsideFault = FaultOf<
  "gateway crash" | "gateway freeze" | "network gone" | "flood" | "old reading"
>;
type RecordFault = FaultOf<
  | "arbiter down"
  | "arbiter crash"
  | "arbiter slow"
  | "request trouble"
  | "lease conflict"
  | "record gone"
>;

/** What ends a process. */
const lifeKinds: readonly Fault["kind"][] = ["crash", "crash at effect", "terminate"];
/** Who is told to leave has left, or handed over, after this and a failure time-out. */
const leavingMs = 400;
/** A death that waits for a complete pair looks again after this. */
const patienceMs = 5;

export class Faults {
  readonly #world: World;
  /** What ends the faults that still last. */
  readonly #undo = new Set<() => void>();
  /** How long after its end a process is started anew; null: its computer is gone for good. */
  readonly #restarts = new Map<string, number | null>();
  readonly #onLost: (node: Node) => void;
  readonly #patient: boolean;
  #leavingUntilMs = 0;
  #calm = false;

  /** `patient`: see `Scenario.patientDeath`; `onLost`: a computer is gone for good. */
  constructor(world: World, patient: boolean, onLost: (node: Node) => void) {
    this.#world = world;
    this.#patient = patient;
    this.#onLost = onLost;
  }

  /** Puts the faults down in the agenda. */
  plan(faults: readonly Fault[]): void {
    const { agenda } = this.#world;
    for (const fault of faults) {
      agenda.after(fault.atMs - agenda.nowMs, () => this.#strike(fault));
    }
  }

  /** All that lasts ends now, and nothing new strikes. */
  calm(): void {
    this.#calm = true;
    for (const runner of this.#world.runners) runner.spare();
    for (const undo of [...this.#undo]) undo();
    this.#world.arbiters.calm();
  }

  /**
   * A process has ended; what ends by itself is started anew by the kubelet. `undefined`: that is
   * not for the fault to say.
   */
  restartOf(process: string): number | null | undefined {
    return this.#restarts.get(process);
  }

  /** In a patient world processes end only while the pair is complete, and stays so. */
  #mustWait(kind: Fault["kind"]): boolean {
    const { nowMs, runners } = this.#world;
    if (!this.#patient || !lifeKinds.includes(kind)) return false;
    if (!this.#isComplete() || nowMs < this.#leavingUntilMs) return true;
    // It would leave only when it goes on, and by then it may be the last one.
    return kind === "terminate" && runners.some((runner) => runner.standsStill);
  }

  /** With the computers that are meant now. */
  #resolved(fault: Fault): Fault {
    if ("node" in fault) return { ...fault, node: this.#nodeOf(fault.node) };
    if (!("from" in fault)) return fault;
    return { ...fault, from: this.#nodeOf(fault.from), to: this.#nodeOf(fault.to) };
  }

  #nodeOf(node: Node): Node {
    const { record } = this.#world;
    if (node === "primary") return this.#world.named(record.primary)?.node ?? node;
    if (node === "backup") return this.#world.named(record.backup)?.node ?? node;
    return node;
  }

  /** Paired, and the backup has no doubt: its take-over may be granted when it is dead. */
  #isComplete(): boolean {
    const role = this.#world.named(this.#world.record.backup)?.role;
    return this.#world.paired && role?.kind === "follower" && role.suspicion === null;
  }

  #told(fault: Fault): void {
    this.#world.emit({ kind: "fault", fault });
  }

  /** A death that comes too early for a patient world looks again in a moment. */
  #strike(planned: Fault): void {
    if (this.#calm) return;
    if (this.#mustWait(planned.kind)) {
      this.#world.agenda.after(patienceMs, () => this.#strike(planned));
      return;
    }
    const fault = this.#resolved(planned);
    switch (fault.kind) {
      case "crash":
      case "crash at effect":
      case "terminate":
      case "power off":
        this.#strikeLife(fault);
        return;
      case "freeze":
      case "freeze at effect":
      case "stall":
      case "wedge":
      case "slow":
      case "clock jump":
      case "clock rate":
      case "move fails":
        this.#strikeProcess(fault);
        return;
      case "partition":
      case "delay":
      case "cut":
      case "corrupt":
        this.#strikeNetwork(fault);
        return;
      case "arbiter down":
      case "arbiter crash":
      case "arbiter slow":
      case "request trouble":
      case "lease conflict":
      case "record gone":
        this.#strikeRecord(fault);
        return;
      case "gateway crash":
      case "gateway freeze":
      case "network gone":
      case "flood":
      case "old reading":
        this.#strikeOutside(fault);
        return;
      case "trap":
        this.#told(fault);
        this.#world.clients[0]?.type("T");
        return;
      case "burst":
        this.#told(fault);
        for (let i = 0; i < fault.times; i++) this.#world.clients[0]?.type("B");
        return;
      case "paste":
        this.#told(fault);
        for (const client of this.#world.clients.slice(0, fault.clients)) client.paste(fault.bytes);
        return;
    }
    unreachable(fault);
  }

  #strikeLife(fault: LifeFault): void {
    if (fault.kind === "power off") {
      this.#told(fault);
      this.#world.primary?.input("http", { kind: "powerOff" });
      return;
    }
    const runner = this.#world.alive(fault.node);
    if (runner === null) return;
    const { nonce, node } = runner;
    if (fault.kind === "terminate") {
      this.#told(fault);
      this.#leavingUntilMs = this.#world.nowMs + this.#world.timings.failureTimeoutMs + leavingMs;
      this.#restarts.set(nonce, fault.restartMs);
      runner.input("signal", { kind: "terminate" });
      return;
    }
    const die = () => {
      if (this.#mustWait(fault.kind)) return false;
      this.#told(fault);
      this.#restarts.set(nonce, fault.restartMs);
      const gone = fault.restartMs === null;
      if (fault.silent || gone) this.#world.network.setUp(node, false);
      if (gone) this.#onLost(node);
      runner.crash(fault.silent || gone);
      return true;
    };
    if (fault.kind === "crash") die();
    else runner.ambush(fault.nth, fault.when, die);
  }

  #strikeProcess(fault: ProcessFault): void {
    const runner = this.#world.alive(fault.node);
    if (runner === null) return;
    if (fault.kind !== "freeze at effect") this.#told(fault);
    const { clock } = runner;
    switch (fault.kind) {
      case "freeze":
        runner.freeze();
        this.#endLater(fault.forMs, () => runner.thaw());
        return;
      case "freeze at effect":
        runner.ambush(fault.nth, fault.when, () => {
          this.#told(fault);
          runner.freeze();
          this.#endLater(fault.forMs, () => runner.thaw());
          return true;
        });
        return;
      case "stall":
        runner.stall();
        this.#endLater(fault.forMs, () => runner.unstall());
        return;
      case "wedge":
        runner.thread.stand();
        this.#endLater(fault.forMs, () => runner.thread.goOn());
        return;
      case "slow": {
        runner.thread.stepMs = fault.stepMs;
        this.#endLater(fault.forMs, () => {
          runner.thread.stepMs = turnMs;
        });
        return;
      }
      case "clock jump":
        clock.leap(fault.ms);
        return;
      case "clock rate":
        clock.rate = fault.rate;
        this.#endLater(Number.POSITIVE_INFINITY, () => {
          clock.rate = 1;
        });
        return;
      case "move fails":
        runner.moveFails = true;
        this.#endLater(Number.POSITIVE_INFINITY, () => {
          runner.moveFails = false;
        });
        return;
    }
    unreachable(fault);
  }

  #strikeNetwork(fault: NetworkFault): void {
    const { network } = this.#world;
    this.#told(fault);
    switch (fault.kind) {
      case "partition": {
        const { from, to, oneWay } = fault;
        network.block(from, to);
        if (!oneWay) network.block(to, from);
        this.#endLater(fault.forMs, () => {
          network.unblock(from, to);
          if (!oneWay) network.unblock(to, from);
        });
        return;
      }
      case "delay":
        network.delay(fault.from, fault.to, fault.ms);
        this.#endLater(fault.forMs, () => network.delay(fault.from, fault.to, -fault.ms));
        return;
      case "cut":
        network.cut(fault.node, fault.share);
        return;
      case "corrupt":
        network.corruptNext(fault.from, fault.to);
        return;
    }
    unreachable(fault);
  }

  #strikeRecord(fault: RecordFault): void {
    const { arbiters } = this.#world;
    const told = () => this.#told(fault);
    switch (fault.kind) {
      case "arbiter down":
        told();
        arbiters.down(fault.arbiter, fault.forMs);
        return;
      case "arbiter crash":
        arbiters.crashAt(fault.arbiter, fault.nth, fault.forMs, told);
        return;
      case "arbiter slow":
        told();
        arbiters.slow(fault.arbiter, fault.ms, fault.forMs);
        return;
      case "request trouble":
        arbiters.trouble(fault.fate, told);
        return;
      case "lease conflict":
        arbiters.conflict(fault.times, told);
        return;
      case "record gone":
        told();
        arbiters.vanish();
        return;
    }
    unreachable(fault);
  }

  #strikeOutside(fault: OutsideFault): void {
    const { outside } = this.#world;
    if (outside === null) return;
    this.#told(fault);
    switch (fault.kind) {
      case "gateway crash":
        outside.crash(fault.silent, fault.restartMs);
        return;
      case "gateway freeze": {
        const { gateway } = outside;
        gateway?.freeze();
        this.#endLater(fault.forMs, () => gateway?.thaw());
        return;
      }
      case "network gone":
        if (fault.deaf) outside.fill();
        else outside.leave();
        this.#endLater(fault.forMs, () => {
          if (fault.deaf) outside.drain();
          else outside.comeBack();
        });
        return;
      case "flood":
        outside.flood(fault.frames, fault.bytes);
        return;
      case "old reading":
        this.#world.misleadGateway(fault.epochs);
        return;
    }
    unreachable(fault);
  }

  #endLater(forMs: number, undo: () => void): void {
    const once = () => {
      if (this.#undo.delete(once)) undo();
    };
    this.#undo.add(once);
    if (Number.isFinite(forMs)) this.#world.agenda.after(forMs, once);
  }
}
