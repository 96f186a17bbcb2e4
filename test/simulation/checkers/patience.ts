/**
 * Whoever is told to leave, and has nobody to hand over to, goes on with the VM for as long as it was
 * configured, from the moment it was told and whatever happens meanwhile: the VM is not switched off
 * before, unless somebody wanted it off.
 */
import type { Nonce } from "../../../src/shared/protocol/record.ts";
import type { Node, SimEvent } from "../events.ts";
import type { Fault } from "../scenario.ts";
import { type Checker, Violation } from "./checker.ts";

/** A computer's clock goes at most this much faster than the world's. */
const clockRateMax = 1.6;
const powerOffCharacter = "P".charCodeAt(0);

export class PatienceChecker implements Checker {
  readonly #leaveWaitMs: number;
  readonly #runners = new Map<Node, Nonce>();
  /** When the runner was told to leave first. */
  readonly #toldMs = new Map<Nonce, number>();
  /** How far the computers' clocks have leapt, which was no waiting. */
  readonly #leaptMs = new Map<Node, number>();
  #primary: Nonce | null = null;
  #offWanted = false;

  constructor(leaveWaitMs: number) {
    this.#leaveWaitMs = leaveWaitMs;
  }

  observe(event: SimEvent): void {
    switch (event.kind) {
      case "started":
        this.#runners.set(event.node, event.process);
        return;
      case "fault":
        this.#strike(event.fault, event.atMs);
        return;
      case "typed":
        this.#offWanted ||= event.bytes.includes(powerOffCharacter);
        return;
      case "granted":
        if (event.record.primary === null) this.#mustHaveWaited(event.atMs);
        this.#primary = event.record.primary;
        return;
      default:
    }
  }

  finish(): void {}

  #strike(fault: Fault, atMs: number): void {
    if (fault.kind === "power off") this.#offWanted = true;
    if (fault.kind === "clock jump") {
      this.#leaptMs.set(fault.node, (this.#leaptMs.get(fault.node) ?? 0) + fault.ms);
    }
    if (fault.kind !== "terminate") return;
    const process = this.#runners.get(fault.node);
    if (process !== undefined && !this.#toldMs.has(process)) this.#toldMs.set(process, atMs);
  }

  /** One that was never told executes what another one had ordered. */
  #mustHaveWaited(atMs: number): void {
    const primary = this.#primary;
    const toldMs = primary === null ? undefined : this.#toldMs.get(primary);
    if (toldMs === undefined || this.#offWanted) return;
    const leaptMs = [...this.#leaptMs.values()].reduce((sum, ms) => sum + ms, 0);
    const leastMs = (this.#leaveWaitMs - leaptMs) / clockRateMax;
    const waitedMs = atMs - toldMs;
    if (waitedMs >= leastMs) return;
    const message = `${primary} was told to leave, and switched the VM off ${Math.round(waitedMs)} ms later: it is to wait ${this.#leaveWaitMs} ms for somebody to hand over to`;
    throw new Violation("patience", message);
  }
}
