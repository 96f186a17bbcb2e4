/**
 * Frames on gvproxy's standard input and output: a little-endian 16-bit length, then the frame.
 * (gvproxy also takes them on a socket. Its standard streams end with this process, however it
 * ends, and gvproxy with them: so it never outlives the gateway.)
 */

const headerBytes = 2;
export const switchFrameBytesMax = 0xffff;

/** The frame with its length in front. */
export function switchFrame(frame: Uint8Array): Uint8Array {
  const framed = new Uint8Array(headerBytes + frame.length);
  framed[0] = frame.length & 0xff;
  framed[1] = frame.length >> 8;
  framed.set(frame, headerBytes);
  return framed;
}

/** Takes the stream in pieces of any size. Every length has room, so nothing is refused. */
export class SwitchFrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** The frames that are complete now, as views that hold until the next call. */
  push(piece: Uint8Array): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? piece : joined(this.#rest, piece);
    const frames: Uint8Array[] = [];
    let at = 0;
    for (let end = endOf(bytes, at); end <= bytes.length; end = endOf(bytes, at)) {
      frames.push(bytes.subarray(at + headerBytes, end));
      at = end;
    }
    this.#rest = bytes.slice(at);
    return frames;
  }
}

/** Where the frame that begins at `at` ends; past everything when not even its length is there. */
function endOf(bytes: Uint8Array, at: number): number {
  const [low, high] = bytes.subarray(at, at + headerBytes);
  if (low === undefined || high === undefined) return Number.POSITIVE_INFINITY;
  return at + headerBytes + low + high * 0x100;
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
