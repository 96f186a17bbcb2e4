/**
 * After the last fault the VM comes back by itself, and it is never lost or off without a cause: a
 * VM is lost only when everybody that its record names died of faults, and off only when somebody
 * wanted it so. Nobody leaves for a reason that the record has not given. Once somebody has deleted
 * the record, the VM may be lost, or wait for ever as a pair: nobody can be named any more. A primary that
 * is alone finds out.
 */
import type { Nonce, VmRecord } from "../../../src/shared/protocol/record.ts";
import type { Answer, Node, SimEvent } from "../events.ts";
import type { Fault } from "../scenario.ts";
import { type Checker, type Outcome, Violation } from "./checker.ts";

type Ended = SimEvent & { readonly kind: "ended" };

const powerOffCharacter = "P".charCodeAt(0);
const trapCharacter = "T".charCodeAt(0);

export class ProgressChecker implements Checker {
  readonly #patient: boolean;
  #record: VmRecord | null = null;
  #calmMs: number | null = null;
  #nowMs = 0;
  /** Somebody wanted the VM off, by a command or in the guest. */
  #offWanted = false;
  /** Some runner was told to leave; the last one switches the VM off. */
  #anyTerminated = false;
  #trapTyped = false;
  #recordGone = false;
  readonly #lived = new Set<Nonce>();
  readonly #ended = new Map<Nonce, Ended>();
  /** Those that ended by what the world did to them. */
  readonly #victims = new Set<Nonce>();
  /** Computers whose runner was told to leave, or could not follow a move. */
  readonly #terminated = new Set<Node>();
  readonly #unmoved = new Set<Node>();
  readonly #calls = new Map<number, Nonce>();
  /** The newest record that each process was told of. */
  readonly #told = new Map<Nonce, VmRecord>();

  /** `patient`: processes end only while the pair is complete, which must never cost the VM. */
  constructor(patient = false) {
    this.#patient = patient;
  }

  observe(event: SimEvent): void {
    this.#nowMs = event.atMs;
    switch (event.kind) {
      case "granted":
        this.#record = event.record;
        return;
      case "lived":
        this.#lived.add(event.process);
        return;
      case "started":
        this.#terminated.delete(event.node);
        return;
      case "ended":
        this.#end(event);
        return;
      case "typed":
        this.#offWanted ||= event.bytes.includes(powerOffCharacter);
        this.#trapTyped ||= event.bytes.includes(trapCharacter);
        return;
      case "fault":
        this.#strike(event.fault);
        return;
      case "calm":
        this.#calmMs = event.atMs;
        return;
      case "asked":
        this.#calls.set(event.call, event.process);
        return;
      case "answered":
        this.#answered(event.call, event.answer);
        return;
      default:
    }
  }

  finish(outcome: Outcome): void {
    const known = this.#record;
    if (known !== null && outcome.record.epoch !== known.epoch) {
      const message = `the run ended with the record of epoch ${outcome.record.epoch}, and epoch ${known.epoch} was the last one granted`;
      throw new Violation("progress", message);
    }
    const wrong = this.#wrong(outcome);
    if (wrong !== null) throw new Violation("progress", `${wrong}\n${outcome.describe()}`);
  }

  #wrong(outcome: Outcome): string | null {
    if (this.#recordGone && outcome.ending === "lost") return null;
    switch (outcome.ending) {
      case "stuck": {
        if (this.#recordGone) return this.#wronglyAlone(outcome);
        const since = this.#calmMs === null ? "" : ` ${this.#nowMs - this.#calmMs} ms`;
        return `the pair has not come back${since} after the last fault`;
      }
      case "goes on":
        return this.#wronglyGoesOn(outcome);
      case "switched off":
        if (outcome.record.primary !== null) {
          return `switched off, and the record names ${outcome.record.primary} as primary`;
        }
        if (this.#offWanted || (this.#anyTerminated && !this.#patient)) return null;
        return "the VM is switched off, and nobody wanted it off";
      case "lost":
        return this.#wronglyLost(outcome);
    }
  }

  /** It cannot be superseded, and nobody who acknowledges vouches for it. */
  #wronglyAlone({ record, alive }: Outcome): string | null {
    const { primary, backup } = record;
    if (primary === null || backup !== null || !alive.includes(primary)) return null;
    return `the record is deleted, and ${primary}, which was alone, lives on`;
  }

  #wronglyGoesOn({ record, alive }: Outcome): string | null {
    const { primary, backup } = record;
    if (primary === null) return "the VM goes on, and the record names no primary";
    if (!alive.includes(primary)) return `the VM goes on, and its primary ${primary} is gone`;
    if (!this.#lived.has(primary)) return `the VM goes on, and ${primary} never went live`;
    if (backup === null || alive.includes(backup)) return null;
    return `the VM goes on as a pair, and its backup ${backup} is gone`;
  }

  #wronglyLost({ record, alive }: Outcome): string | null {
    const named = [record.primary, record.backup].filter((nonce) => nonce !== null);
    if (named.length === 0) return "the VM is lost, and the record names nobody";
    if (this.#patient && !this.#trapTyped) {
      return "the VM is lost, and nobody died but while the pair was complete";
    }
    for (const process of named) {
      if (alive.includes(process)) return `the VM is lost, and ${process}, which is named, lives`;
      const ended = this.#ended.get(process);
      if (ended === undefined) return `the VM is lost, and ${process}, which is named, never ended`;
      if (this.#victims.has(process) || ended.reason === "superseded") continue;
      return `the VM is lost, since ${process} left by itself: ${ended.reason}, ${ended.message}`;
    }
    // One that left before a delayed request named it may be among them, but never all of them.
    if (named.some((process) => this.#ended.get(process)?.reason !== "superseded")) return null;
    return `the VM is lost, since all who are named left as superseded: ${named.join(", ")}`;
  }

  #isVictim({ reason, node }: Ended): boolean {
    if (reason === null) return true;
    if (reason === "stopped") return this.#offWanted || this.#terminated.has(node);
    if (reason === "left alone") return this.#terminated.has(node);
    return reason === "trapped" && (this.#trapTyped || this.#unmoved.has(node));
  }

  #end(event: Ended): void {
    this.#ended.set(event.process, event);
    if (this.#isVictim(event)) this.#victims.add(event.process);
    const { process, reason, message } = event;
    if ((reason === "no record" && !this.#recordGone) || reason === "refused") {
      throw new Violation("progress", `${process} gave up with "${reason}": ${message}`);
    }
    if (reason === "superseded") this.#mustBeSuperseded(process, message);
    if (reason === "left alone" && !this.#terminated.has(event.node)) {
      throw new Violation("progress", `${process} left alone, and nobody told it to: ${message}`);
    }
    if (reason === "stopped" && !this.#offWanted && !this.#anyTerminated) {
      throw new Violation("progress", `${process} stopped, and nobody told it to: ${message}`);
    }
  }

  /** It knows from the record, and from nothing else, that it is not needed any more. */
  #mustBeSuperseded(process: Nonce, message: string): void {
    const told = this.#told.get(process);
    if (told !== undefined && told.primary !== process && told.backup !== process) return;
    const knew =
      told === undefined ? "was never told the record" : `knew epoch ${told.epoch}, which names it`;
    throw new Violation("progress", `${process} left as superseded, but ${knew}: ${message}`);
  }

  #strike(fault: Fault): void {
    if (fault.kind === "record gone") this.#recordGone = true;
    if (fault.kind === "power off") this.#offWanted = true;
    if (fault.kind === "terminate") {
      this.#anyTerminated = true;
      this.#terminated.add(fault.node);
    }
    if (fault.kind === "move fails") this.#unmoved.add(fault.node);
  }

  #answered(call: number, answer: Answer): void {
    const process = this.#calls.get(call);
    this.#calls.delete(call);
    if (process === undefined || answer.kind === "none") return;
    const record = answer.kind === "record" ? answer.record : answer.outcome.record;
    if (record === null || record.epoch < (this.#told.get(process)?.epoch ?? 0)) return;
    this.#told.set(process, record);
  }
}
