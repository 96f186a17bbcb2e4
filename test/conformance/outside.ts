/** Numbers the frames of the world outside as a gateway does, and hands them to the machine. */
import { ingressPerEntryFramesMax } from "../../src/shared/limits.ts";
import type { StepResult } from "../../src/vm-runner/machine/machine.ts";
import type { Peer } from "./peer.ts";
import { type Cue, framesOf, type RecordedInput, sentFrames } from "./scenario.ts";

export class Outside {
  /** What the guest has sent, step by step. */
  readonly egress: string[] = [];
  /** Buffers that the guest's driver had when the last flood came. */
  roomForLastFlood = 0;
  readonly #peer: Peer;
  #gateway = 1;
  /** All that this gateway has sent, by number. */
  #sent: Uint8Array[] = [];
  /** Number of the last cue's first frame. */
  #cueStart = 0;

  constructor(peer: Peer) {
    this.#peer = peer;
  }

  /**
   * The frames for the next entry: as many as there is `room` for, as the recorder does it, but all
   * of them with a cue that brings some.
   */
  inputs(cue: Cue | undefined, room: number): RecordedInput[] {
    const { queue } = this.#peer;
    if (cue?.outside === undefined) {
      return this.#next(queue.splice(0, Math.min(room, ingressPerEntryFramesMax)), 0);
    }
    cue.outside(this.#peer);
    if (queue.length > ingressPerEntryFramesMax) this.roomForLastFlood = room;
    if (cue.numbers === "another gateway") {
      this.#gateway++;
      this.#sent = [];
    }
    const repeated = cue.numbers === "again" ? this.#sent.length - this.#cueStart : 0;
    this.#cueStart = this.#sent.length;
    return this.#next(queue.splice(0), repeated);
  }

  onStep(step: StepResult): void {
    this.egress.push(...sentFrames(step));
    for (const frame of framesOf(step)) this.#peer.onFrame(frame);
  }

  /** These frames, behind the last `repeated` ones once more. */
  #next(frames: readonly Uint8Array[], repeated: number): RecordedInput[] {
    if (frames.length === 0) return [];
    const first = this.#sent.length - repeated;
    this.#sent.push(...frames);
    const hex = this.#sent.slice(first).map((frame) => Buffer.from(frame).toString("hex"));
    return [{ kind: "frames", gateway: this.#gateway, first, frames: hex }];
  }
}
