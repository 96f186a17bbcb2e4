/**
 * Tells what a runner's process does, as seen at the edges of its cores: the steps of its machine,
 * the entries it records, its lives, and the outputs that leave it. The checkers judge by that.
 */
import type { Epoch, Nonce } from "../../../src/shared/protocol/record.ts";
import type {
  PairInput,
  PairReport,
  PairState,
  Role,
} from "../../../src/vm-runner/failover/pair-types.ts";
import type {
  ExecutorEvent,
  RunnerOutput,
} from "../../../src/vm-runner/replay/executor-protocol.ts";
import type { StepIndex } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Chain, ExecutedStep, Happening } from "../events.ts";

export class Witness {
  readonly #process: Nonce;
  readonly #emit: (happening: Happening) => void;
  /** The step that made each output. */
  readonly #steps = new WeakMap<RunnerOutput, StepIndex>();
  /** The last step in the history that came with a snapshot. */
  #historyStep: StepIndex = -1;
  #chain: Chain = 0;
  #livedEpoch = -1;
  #life: Epoch | null = null;
  /** When each was last heard, by the process's own clock. */
  readonly #heardMs = new Map<Nonce, number>();

  constructor(process: Nonce, emit: (happening: Happening) => void) {
    this.#process = process;
    this.#emit = emit;
  }

  /** The machine was put together from a snapshot. */
  onMachine(chain: Chain): void {
    this.#chain = chain;
  }

  /** What the process took in at `ownMs` of its clock, and its state after that. */
  onTaken(input: PairInput, { life }: PairState, ownMs: number): void {
    if (input.kind === "heartbeat") this.#heardMs.set(input.nonce, ownMs);
    if (life === this.#life) return;
    this.#life = life;
    if (life !== null) this.#emit({ kind: "joined", process: this.#process, life });
  }

  /** The other half counts as lost at `ownMs` of the process's clock. */
  onReport(report: PairReport, { role }: PairState, ownMs: number): void {
    if (report.kind !== "suspected" && report.kind !== "followerLost") return;
    const { reason } = report;
    const other = report.kind === "followerLost" ? report.nonce : primaryOf(role);
    const heardMs = other === null ? undefined : this.#heardMs.get(other);
    const silentMs = heardMs === undefined ? null : ownMs - heardMs;
    this.#emit({ kind: "suspected", process: this.#process, reason, silentMs });
  }

  onStep(step: ExecutedStep): void {
    this.#chain = step.chain;
    this.#emit({ kind: "executed", process: this.#process, step });
  }

  /** At the moment at which the executor says it; `epoch`: as the process knows it. */
  onSaid(event: ExecutorEvent, epoch: number): void {
    const process = this.#process;
    switch (event.kind) {
      case "output":
        this.#steps.set(event.output, event.index);
        return;
      case "recorded":
        this.#emit({ kind: "recorded", process, batch: event.batch });
        return;
      case "restored":
        this.#historyStep = event.first - 1;
        this.#emit({ kind: "restored", process, first: event.first, chain: this.#chain });
        return;
      case "live":
        this.#onLive(event.next, epoch);
        return;
      default:
    }
  }

  onReleased(output: RunnerOutput, epoch: number): void {
    const index = this.#steps.get(output) ?? this.#historyStep;
    this.#emit({ kind: "released", process: this.#process, epoch, index, output });
  }

  /** Told once for each epoch: a recorder that was paused may go on. */
  #onLive(next: StepIndex, epoch: number): void {
    if (epoch === this.#livedEpoch) return;
    this.#livedEpoch = epoch;
    const chain = next === 0 ? 0 : this.#chain;
    this.#emit({ kind: "lived", process: this.#process, epoch, next, chain });
  }
}

function primaryOf(role: Role): Nonce | null {
  return role.kind === "follower" ? role.primary : null;
}
