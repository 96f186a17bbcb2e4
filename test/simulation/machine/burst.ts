/** What the simulated guest prints when it is told to print a lot. */

/** The console prints at most this much of a burst in one step. */
const pieceBytes = 4_096;
const rowBytes = 64;

/** The next piece of a burst of which `left` bytes are to come: whole lines, ASCII. */
export function burstPiece(left: number, warmth: number): string {
  const size = Math.min(left, pieceBytes);
  const row = `burst ${left} ${warmth.toString(16)}`;
  const rows = `${row.padEnd(rowBytes - 1, ".")}\n`.repeat(Math.ceil(size / rowBytes));
  return `${rows.slice(0, size - 1)}\n`;
}
