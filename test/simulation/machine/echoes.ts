/** What the simulated guest answers to those who type: one line for an entry and a writer. */

import type { Hash } from "./hash.ts";

/** Bytes that the guest took from a writer: its stream, in order, without a gap or repetition. */
export interface Echo {
  readonly writer: number;
  /** Position of the first byte of `text` in all that this writer ever typed. */
  readonly position: number;
  readonly text: string;
}

/** The line of an echo: `WRITER@POSITION:TEXT:DIGEST:WARMTH`, the last two in hexadecimal digits. */
export function echoLine({ writer, position, text }: Echo, digest: number, warmth: number): string {
  return `${writer}@${position}:${text}:${(digest >>> 0).toString(16)}:${warmth.toString(16)}\n`;
}

/**
 * The echoes of a console text that begins with a whole line, in order; a last line without its
 * end is not there yet.
 */
export function parseConsole(text: string): Echo[] {
  const lines = text.matchAll(/^(\d+)@(\d+):([^:\n]*):[0-9a-f]+:[0-9a-f]+\n/gm);
  return Array.from(lines, ([, writer, position, echoed]) => {
    return { writer: Number(writer), position: Number(position), text: echoed ?? "" };
  });
}

/** The same of the console's bytes. */
export function echoesOf(bytes: Uint8Array): Echo[] {
  return parseConsole(new TextDecoder().decode(bytes));
}

export function hashEcho(hash: Hash, echo: Echo | undefined): void {
  if (echo !== undefined) hash.add(echo.writer).add(echo.position).text(echo.text);
}
