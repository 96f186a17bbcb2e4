/** Round trips of one byte over an established TCP connection to the guest's `tcp-echo`. */

import { pause } from "../waiting.ts";
import { connect, nextBytes } from "./client.ts";

/** Between two bytes; not a multiple of the guest's timer, so every phase of it is met. */
const spacingMs = 3;

/** Milliseconds of each round trip. */
export async function roundTrips(port: number, count: number): Promise<readonly number[]> {
  const socket = await connect(port);
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const sentMs = performance.now();
    socket.write("x");
    await nextBytes(socket);
    times.push(performance.now() - sentMs);
    await pause(spacingMs);
  }
  socket.destroy();
  return times;
}
