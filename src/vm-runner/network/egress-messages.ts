/** Runs of frames as messages: as few as possible, none longer than a message may be. */
import { gatewayMessageBytesMax } from "../../shared/limits.ts";
import { frameOverheadBytes, framesHeaderBytes } from "../../shared/protocol/gateway.ts";
import type { EgressRun } from "./egress-history.ts";

const framesBytesMax = gatewayMessageBytesMax - framesHeaderBytes;

/** Runs that follow one another share a message; one that is too long gets several. */
export function* egressMessages(runs: Iterable<EgressRun>): Generator<EgressRun> {
  let first = 0;
  let frames: Uint8Array[] = [];
  let bytes = 0;
  for (const run of runs) {
    for (const [i, frame] of run.frames.entries()) {
      const size = frame.length + frameOverheadBytes;
      const follows = run.first + i === first + frames.length;
      if (frames.length > 0 && (!follows || bytes + size > framesBytesMax)) {
        yield { first, frames };
        frames = [];
        bytes = 0;
      }
      if (frames.length === 0) first = run.first + i;
      frames.push(frame);
      bytes += size;
    }
  }
  if (frames.length > 0) yield { first, frames };
}
