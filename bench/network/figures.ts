/** What is measured of one side in one turn. */
import type { RunnerStatus } from "../../src/shared/protocol/status.ts";
import { quantile } from "../statistics.ts";
import { roundTrips } from "./round-trip.ts";
import type { NetworkSide } from "./sides.ts";
import { udpThroughput } from "./throughput.ts";

export interface Figures {
  readonly rx: number[];
  readonly tx: number[];
  readonly udp: number[];
  readonly roundTripsMs: number[];
  /** Of the pair alone: bytes of log for each byte of the client. */
  readonly logRx: number[];
  readonly logTx: number[];
  /** Quantiles of how long frames were held, while round trips were measured. */
  readonly holdP50: number[];
  readonly holdP99: number[];
  readonly holdMax: number[];
}

const roundTripCount = 200;

export function noFigures(): Figures {
  return {
    ...{ rx: [], tx: [], udp: [], roundTripsMs: [], logRx: [], logTx: [] },
    ...{ holdP50: [], holdP99: [], holdMax: [] },
  };
}

/** One turn of a side; about eight seconds. */
export async function measure(side: NetworkSide, figures: Figures): Promise<void> {
  const before = await side.status();
  const rx = await side.toGuest.measure();
  const between = await side.status();
  const tx = await side.fromGuest.measure();
  const after = await side.status();
  figures.rx.push(rx.mbit);
  figures.tx.push(tx.mbit);
  if (before !== null && between !== null && after !== null) {
    figures.logRx.push((between.logBytes - before.logBytes) / rx.bytes);
    figures.logTx.push((after.logBytes - between.logBytes) / tx.bytes);
  }
  figures.udp.push(await udpThroughput(side.ports.iperf));
  figures.roundTripsMs.push(...(await roundTrips(side.ports.echo, roundTripCount)));
  pushHold(figures, await side.status());
}

/** The figures of the last turn, for people. */
export function describe(figures: Figures): string {
  const last = (values: readonly number[]) => values.at(-1)?.toFixed(0);
  const times = figures.roundTripsMs.slice(-roundTripCount);
  const [p50, p99] = [quantile(times, 0.5), quantile(times, 0.99)];
  const { rx, tx, udp } = figures;
  return (
    `rx ${last(rx)}, tx ${last(tx)}, udp ${last(udp)} Mbit/s, ` +
    `round trip ${p50.toFixed(2)} ms (p99 ${p99.toFixed(2)})`
  );
}

function pushHold(figures: Figures, status: RunnerStatus | null): void {
  if (status === null) return;
  const { p50, p99, max } = status.network.holdMs;
  figures.holdP50.push(p50);
  figures.holdP99.push(p99);
  figures.holdMax.push(max);
}
