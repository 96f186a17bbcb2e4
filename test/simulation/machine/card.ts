/**
 * The network card of the simulated guest: frames wait in its ring until the guest looks at them, a
 * few in each step. It knows how far it has taken the frames of a gateway, as the real one does.
 */
import { freshFrames } from "../../../src/vm-runner/devices/network/fresh-frames.ts";
import type { EgressOutput, IngressPosition } from "../../../src/vm-runner/machine/machine.ts";
import type { IngressInput } from "../../../src/vm-runner/replay/log-entry.ts";
import { decodeFrame, encodeFrame } from "./frames.ts";
import type { Hash } from "./hash.ts";

/** Frames that the ring has room for; the guest looks at so many in one step. */
export const ringFrames = 16;
const framesPerStep = 5;

/** Part of the guest's state: a snapshot carries it. */
export interface CardState {
  position: IngressPosition | null;
  /** Frames in the ring, the oldest first. */
  ring: Uint8Array[];
  /** Frames that the guest ever sent. */
  sent: number;
}

export function freshCard(): CardState {
  return { position: null, ring: [], sent: 0 };
}

/** The frames of `input` that are new to the card and have room; now they are in the ring. */
export function takeFrames(card: CardState, input: IngressInput): readonly Uint8Array[] {
  const { frames, position } = freshFrames(card.position, input);
  card.position = position;
  const taken = frames.slice(0, ringFrames - card.ring.length);
  card.ring.push(...taken);
  return taken;
}

/** What the guest says to the frames that it looks at in this step, then what nobody asked for. */
export function sendFrames(
  card: CardState,
  unasked: number,
  state: () => string,
): EgressOutput | null {
  const first = card.sent;
  const frames: Uint8Array[] = [];
  const say = (request: string | null) => {
    const sent = { kind: "sent", number: card.sent++, request, state: state() } as const;
    frames.push(encodeFrame(sent));
  };
  for (const seen of card.ring.splice(0, framesPerStep)) {
    const frame = decodeFrame(seen);
    if (frame.kind === "request") say(frame.request);
  }
  for (let i = 0; i < unasked; i++) say(null);
  return frames.length === 0 ? null : { kind: "egress", first, frames };
}

export function hashCard(hash: Hash, { position, ring, sent }: CardState): void {
  hash
    .add(sent)
    .add(position?.gateway ?? 0)
    .add(position?.next ?? 0)
    .add(ring.length);
  for (const frame of ring) hash.bytes(frame);
}
