/**
 * A TCP client of the guest's `tcp-counter`: a line every 10 ms over one connection, which must live
 * through every failure.
 */
import { NumberedLines } from "../numbered-lines.ts";
import { until } from "../waiting.ts";
import { connect } from "./client.ts";

/** Lines that are awaited before the first failure. */
const firstLines = 100;

export interface CounterClient {
  readonly lines: NumberedLines;
  readonly close: () => void;
}

/** Resolves when the lines flow. A connection that breaks ends the benchmark: that is no gap. */
export async function startCounterClient(port: number): Promise<CounterClient> {
  const socket = await connect(port);
  const lines = new NumberedLines();
  const onBroken = (error?: Error | boolean) => {
    const why = error instanceof Error ? error.message : "it was closed";
    throw new Error(`the client's TCP connection to the guest did not survive: ${why}`);
  };
  socket.on("error", onBroken).on("close", onBroken);
  socket.on("data", (bytes) => lines.feed(bytes, performance.now()));
  await until("tcp-counter sends lines", () => (lines.count > firstLines ? true : null));
  return { lines, close: () => socket.removeAllListeners().destroy() };
}
