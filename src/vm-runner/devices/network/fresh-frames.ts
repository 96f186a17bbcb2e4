/**
 * How far the guest's card has taken the frames of the gateway that sent last: a gateway sends again,
 * after a failover, whatever it was not told to be in the log, and the guest is given it once.
 */
import type { IngressPosition } from "../../machine/machine.ts";
import type { IngressInput } from "../../replay/log-entry.ts";

export interface FreshFrames {
  readonly frames: readonly Uint8Array[];
  /** Of the first frames of the input: the card had them already. */
  readonly repeated: number;
  /** The card's, now that it has all frames of the input. */
  readonly position: IngressPosition;
}

/** What of `input` is new to a card that has come to `position`. */
export function freshFrames(position: IngressPosition | null, input: IngressInput): FreshFrames {
  const { gateway, first, frames } = input;
  const next = position?.gateway === gateway ? position.next : first;
  const repeated = Math.min(Math.max(0, next - first), frames.length);
  return {
    frames: frames.slice(repeated),
    repeated,
    position: { gateway, next: Math.max(next, first + frames.length) },
  };
}
