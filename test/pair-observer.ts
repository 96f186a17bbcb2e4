/**
 * Somebody outside who sees what the runners let out, and knows the true record: it throws at the
 * first output that breaks the Output Rule, leaves a gap, or belongs to another execution.
 */
import { assert } from "../src/shared/assert.ts";
import type { VmRecord } from "../src/shared/protocol/record.ts";
import type { RunnerOutput } from "../src/vm-runner/replay/executor-protocol.ts";
import type { StepIndex } from "../src/vm-runner/replay/log-entry.ts";
import type { SimRunner } from "./pair-runner.ts";

interface Life {
  readonly nonce: string;
  readonly epoch: number;
  /** The last entry that the new primary had acknowledged when it began. */
  readonly received: StepIndex;
}

interface Seen {
  readonly nonce: string;
  /** As the runner that let it out knew the record. */
  readonly epoch: number;
  readonly position: number;
  readonly bytes: number;
}

export class Observer {
  /** All that the console printed, by position. */
  readonly console: number[] = [];
  readonly seen: Seen[] = [];
  readonly lives: Life[] = [];
  #releasedThrough: StepIndex = -1;
  readonly #primaries = new Map<number, string>();
  readonly #record: () => VmRecord | null;
  readonly #runner: (nonce: string) => SimRunner;

  constructor(record: () => VmRecord | null, runner: (nonce: string) => SimRunner) {
    this.#record = record;
    this.#runner = runner;
  }

  get text(): string {
    return new TextDecoder().decode(Uint8Array.from(this.console));
  }

  /** A runner became primary: it must have every entry that an output seen so far depends on. */
  lived(runner: SimRunner, epoch: number, received: StepIndex): void {
    this.lives.push({ nonce: runner.nonce, epoch, received });
    assert(
      this.#releasedThrough <= received,
      `${runner.nonce} begins after entry ${received}, but entry ${this.#releasedThrough} was seen`,
    );
    const other = this.#primaries.get(epoch) ?? runner.nonce;
    assert(other === runner.nonce, `${other} and ${runner.nonce} both live at epoch ${epoch}`);
    this.#primaries.set(epoch, runner.nonce);
  }

  released(runner: SimRunner, output: RunnerOutput, index: StepIndex): void {
    this.#mustBeAcknowledged(runner, index);
    this.#releasedThrough = Math.max(this.#releasedThrough, index);
    if (output.kind === "accepted") return;
    const { position, bytes } = output;
    assert(position <= this.console.length, `gap: ${this.console.length} to ${position}`);
    for (const [i, byte] of bytes.entries()) {
      const known = this.console[position + i] ?? byte;
      assert(known === byte, `${runner.nonce}: another byte at position ${position + i}`);
      this.console[position + i] = byte;
    }
    const epoch = runner.state.view.known?.epoch ?? -1;
    this.seen.push({ nonce: runner.nonce, epoch, position, bytes: bytes.length });
  }

  /** Whoever is named beside or instead of the runner must have acknowledged entry `index`. */
  #mustBeAcknowledged(runner: SimRunner, index: StepIndex): void {
    const record = this.#record();
    for (const nonce of [record?.primary, record?.backup]) {
      if (nonce === null || nonce === undefined || nonce === runner.nonce) continue;
      const { acknowledged } = this.#runner(nonce);
      assert(
        acknowledged >= index,
        `${runner.nonce} let out step ${index}; ${nonce} is named and has only ${acknowledged}`,
      );
    }
    const own = this.lives.findLastIndex((life) => life.nonce === runner.nonce);
    assert(own !== -1, `${runner.nonce} let something out and never was primary`);
    const later = this.lives.slice(own + 1).find((life) => life.received < index);
    assert(
      later === undefined,
      `${runner.nonce} let out step ${index}, unknown to the life of ${later?.nonce}`,
    );
  }
}
