/**
 * A runner as the record sees it: it asks for the changes of roles that the protocol of the pair asks for,
 * by the real `transition`, and ends with the real exit codes. What it executes is no matter here.
 *
 * Like the real one it derives what to do from the record as it stands; it cannot act while its computer
 * is frozen, and it waits while it cannot reach the record.
 */

import { exitCodes } from "../../../../src/shared/exit-codes.ts";
import type { RecordRequest, VmRecord } from "../../../../src/shared/protocol/record.ts";
import type { RunnerRole } from "../../../../src/shared/protocol/status.ts";
import type { Computer } from "./computer.ts";
import type { World } from "./world.ts";

const stepMs = 200;
/** Silence after which the other half counts as lost. */
const silenceMs = 500;
/** A primary that is told to leave waits this long for another half that was there a moment ago. */
const successorWaitMs = 10_000;
const killedCode = 137;

export interface RunnerArguments {
  readonly vm: string;
  readonly memory: string;
  readonly restartEpoch: number | null;
}

export function argumentsOf(args: readonly string[]): RunnerArguments {
  const after = (option: string) => {
    const at = args.indexOf(option);
    return at < 0 ? null : (args[at + 1] ?? null);
  };
  const epoch = after("--restart-epoch");
  return {
    vm: after("--vm") ?? "",
    memory: after("--memory") ?? "",
    restartEpoch: epoch === null ? null : Number(epoch),
  };
}

export class Runner {
  readonly nonce: string;
  readonly pod: string;
  readonly podUid: string;
  readonly computer: Computer;
  readonly args: RunnerArguments;
  readonly startedMs: number;
  /** Of the Secret that it has its key from. */
  readonly keyUid: string | null;
  readonly #world: World;
  exitCode: number | null = null;
  exitMessage = "";
  named: "primary" | "backup" | null = null;
  live = false;
  goLive: { readonly reason: string; readonly atMs: number } | null = null;
  /** It was told by SIGTERM to leave. */
  terminating = false;
  ordered: "power off" | "guest" | null = null;
  /** How it is going to end without being asked to; null: it is not. */
  doom: number | null = null;
  joining = false;
  /** Of the record as it was last seen; null: it was not read yet. */
  epoch: number | null = null;
  #wasNamed = false;
  /** The epoch at which it switches the guest off because there is nobody to hand over to. */
  #leftAtEpoch: number | null = null;
  #asking = false;
  #lostSinceMs: number | null = null;
  #hadOtherMs = Number.NEGATIVE_INFINITY;
  #transfer: { readonly to: Runner; readonly endMs: number } | null = null;

  constructor(
    world: World,
    computer: Computer,
    pod: { name: string; uid: string },
    args: RunnerArguments,
  ) {
    this.#world = world;
    this.computer = computer;
    this.pod = pod.name;
    this.podUid = pod.uid;
    this.args = args;
    this.startedMs = world.nowMs;
    this.keyUid = world.keyUid;
    this.nonce = `${pod.name}_${world.hex()}`;
    this.#later(stepMs);
  }

  get alive(): boolean {
    return this.exitCode === null;
  }

  /** As it tells whoever asks. */
  get role(): RunnerRole {
    if (this.named === "primary") return "primary";
    if (this.named === "backup") return "backup";
    return this.joining ? "joining" : "candidate";
  }

  get transferring(): boolean {
    return this.#transfer !== null;
  }

  kill(): void {
    // Why the guest is off, nobody will hear: it may as well have switched itself off.
    if (this.alive && this.#leftAtEpoch !== null) {
      this.#world.unsaidEpochs.add(`${this.args.vm} ${this.#leftAtEpoch}`);
    }
    this.#end(killedCode, "");
  }

  canReach(other: Runner): boolean {
    if (!other.alive || other.computer.frozen || other.keyUid !== this.keyUid) return false;
    const cut = this.computer.partitioned || other.computer.partitioned;
    return this.computer === other.computer || !cut;
  }

  #later(ms: number): void {
    this.#world.agenda.after(ms, () => {
      if (!this.alive) return;
      if (!this.computer.frozen) this.#step();
      if (this.alive) this.#later(stepMs);
    });
  }

  #step(): void {
    const record = this.#world.readRecord(this);
    if (record === "unreachable") return;
    if (record === "missing") {
      // Who has a role asks only when it wants another one, and runs on until then.
      const asks = this.named === null || this.terminating || this.ordered !== null;
      if (asks) this.#end(exitCodes.noRecord, "there is no record");
      return;
    }
    const { primary, backup } = record;
    this.epoch = record.epoch;
    this.named = primary === this.nonce ? "primary" : backup === this.nonce ? "backup" : null;
    if (this.named === null) {
      this.#asNobody(record);
      return;
    }
    this.#wasNamed = true;
    this.joining = false;
    if (this.named === "primary") this.#asPrimary(record);
    else this.#asBackup(record);
  }

  #asNobody(record: VmRecord): void {
    this.live = false;
    if (!this.#wasNamed) {
      this.#asCandidate(record);
      return;
    }
    const isPlanned = record.primary === null || this.terminating;
    const { ok, leftAlone, superseded } = exitCodes;
    const code = this.#leftAtEpoch !== null ? leftAlone : isPlanned ? ok : superseded;
    this.#end(code, `the record at epoch ${record.epoch} names others`);
  }

  #asCandidate({ epoch, primary }: VmRecord): void {
    const { vm, restartEpoch } = this.args;
    this.joining = this.#world.runners.some((other) => other.#transfer?.to === this && other.alive);
    if (this.terminating) {
      this.#end(exitCodes.ok, "asked to stop before it executed anything");
      return;
    }
    if (this.doom !== null && this.doom !== exitCodes.divergence) {
      this.#end(this.doom, "doomed");
      return;
    }
    if (epoch === 0) {
      this.#ask({ kind: "start", vm, runner: this.nonce, epoch: 0 });
      return;
    }
    if (restartEpoch === epoch) {
      this.#ask({ kind: "restart", vm, runner: this.nonce, epoch, bothProvenGone: true });
      return;
    }
    if (primary === null) {
      this.#end(exitCodes.ok, `the VM was stopped at epoch ${epoch}`);
      return;
    }
    const other = this.#world.runnerNamed(primary);
    if (other !== null && this.canReach(other) && other.args.memory !== this.args.memory) {
      this.#end(exitCodes.refused, "the primary has another configuration");
    }
  }

  #asPrimary(record: VmRecord): void {
    const { epoch, backup } = record;
    const { vm } = this.args;
    if (!this.live) {
      this.live = true;
      const reason = this.#lostSinceMs === null ? "started" : "silence";
      this.goLive = { reason, atMs: this.#world.nowMs };
      this.#lostSinceMs = null;
    }
    if (this.ordered !== null) {
      this.#stop(epoch);
      return;
    }
    if (backup === null) {
      this.#alone(record);
      return;
    }
    this.#hadOtherMs = this.#world.nowMs;
    const other = this.#world.runnerNamed(backup);
    if (other !== null && this.canReach(other)) {
      this.#lostSinceMs = null;
      // The other half only waits until it is named no more.
      if (other.terminating) {
        this.#ask({ kind: "alone", vm, runner: this.nonce, epoch });
        return;
      }
      if (this.terminating) this.#ask({ kind: "handover", vm, runner: this.nonce, epoch });
      return;
    }
    if (this.#isSilent()) this.#ask({ kind: "alone", vm, runner: this.nonce, epoch });
  }

  #alone({ epoch }: VmRecord): void {
    const { nowMs } = this.#world;
    const { vm } = this.args;
    this.#lostSinceMs = null;
    if (this.#transfer !== null && !this.#isJoining(this.#transfer.to)) {
      this.#transfer = null;
      this.#hadOtherMs = nowMs;
    }
    if (this.#transfer === null) {
      const to = this.#world.runners.find((other) => this.#mayFollow(other));
      if (to === undefined) {
        if (this.terminating && nowMs - this.#hadOtherMs > successorWaitMs) this.#stop(epoch);
        return;
      }
      to.joining = true;
      this.#transfer = { to, endMs: nowMs + this.#world.transferMs() };
    }
    const { to, endMs } = this.#transfer;
    if (nowMs < endMs) return;
    if (to.doom === exitCodes.divergence) {
      to.#end(to.doom, "the state differs");
      return;
    }
    this.#ask({ kind: "pair", vm, runner: this.nonce, backup: to.nonce, epoch });
  }

  #mayFollow(other: Runner): boolean {
    if (other === this || other.args.vm !== this.args.vm || other.#wasNamed) return false;
    if (other.args.memory !== this.args.memory || other.terminating || other.joining) return false;
    return this.canReach(other) && other.computer.reachesApi && !other.#asking;
  }

  #isJoining(other: Runner): boolean {
    return this.canReach(other) && !other.terminating;
  }

  #asBackup({ epoch, primary }: VmRecord): void {
    this.#transfer = null;
    this.live = false;
    const other = primary === null ? null : this.#world.runnerNamed(primary);
    if (other !== null && this.canReach(other)) {
      this.#lostSinceMs = null;
      // Who handed over stays until the successor is alone; a backup just leaves.
      return;
    }
    if (!this.#isSilent()) return;
    this.#ask({ kind: "takeover", vm: this.args.vm, runner: this.nonce, epoch });
  }

  /** Whether the other half was silent for long enough. */
  #isSilent(): boolean {
    this.#lostSinceMs ??= this.#world.nowMs;
    return this.#world.nowMs - this.#lostSinceMs >= silenceMs;
  }

  #stop(epoch: number): void {
    if (this.ordered === "guest") {
      this.#world.guestOffEpochs.set(`${this.args.vm} ${epoch + 1}`, this.#world.nowMs);
    }
    if (this.ordered === null) {
      this.#leftAtEpoch = epoch + 1;
      this.#world.leftEpochs.add(`${this.args.vm} ${epoch + 1}`);
    }
    this.#ask({ kind: "stop", vm: this.args.vm, runner: this.nonce, epoch });
  }

  /** A request travels for a while, and may land although who sent it is dead. */
  #ask(request: RecordRequest): void {
    if (this.#asking) return;
    this.#asking = true;
    this.#world.agenda.after(this.#world.requestMs(), () => {
      this.#asking = false;
      this.#world.applyRequest(this, request);
    });
  }

  #end(code: number, message: string): void {
    if (!this.alive) return;
    this.exitCode = code;
    this.exitMessage = message;
    this.live = false;
    this.joining = false;
    this.#world.onRunnerEnded(this);
  }
}
