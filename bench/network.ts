/**
 * `network`: throughput and round trips of a guest behind the gateway, against stock v86 behind the
 * same gvproxy; what the log costs on top, how long frames are held, and the gap that a TCP client
 * sees when the primary fails. Both sides live through the whole run and take turns in it, since a
 * guest's network takes many seconds until the compilers are done with it.
 */
import { failRepeatedly, failureSeconds, type Measured } from "./failures.ts";
import { startCounterClient } from "./network/counter-client.ts";
import { describe, type Figures, measure, noFigures } from "./network/figures.ts";
import { type NetworkSide, startPairSide, startStockSide } from "./network/sides.ts";
import type { BenchOptions } from "./options.ts";
import { comparedRow, type Row, rounded, row, tailTarget } from "./report.ts";
import { median, quantile } from "./statistics.ts";

const bothSidesSeconds = 18;
const startSeconds = 30;
/** What the pair may add to stock's 99th percentile of a round trip on one computer (ms). */
const addedRoundTripMs = 0.5;

export async function network(options: BenchOptions): Promise<readonly Row[]> {
  const { say } = options;
  const { warmUps, rounds, n } = plan(options);
  const seconds = startSeconds + (warmUps + rounds) * bothSidesSeconds + 2 * n * failureSeconds;
  say(
    `${rounds} rounds after ${warmUps} to warm up, ${n} kills, ${n} freezes: ` +
      `about ${Math.ceil(seconds / 60)} min`,
  );
  const stock = await startStockSide(options);
  stock.rest();
  const pair = await startPairSide(options);
  const sides = [stock, pair];
  await takeTurns(sides, warmUps, (text) => say(`warming up, ${text}`));
  const figures = await takeTurns(sides, rounds, say);
  await stock.close();
  const client = await startCounterClient(pair.ports.counter);
  const failures = await failRepeatedly(pair.pair, client.lines, n, say);
  client.close();
  await pair.close();
  return [...comparedRows(figures.stock, figures.pair), ...ownRows(figures.pair, failures)];
}

function plan({ quick, rounds, n }: BenchOptions) {
  const usual = quick ? { warmUps: 1, rounds: 2, n: 1 } : { warmUps: 4, rounds: 9, n: 10 };
  return { warmUps: usual.warmUps, rounds: rounds ?? usual.rounds, n: n ?? usual.n };
}

async function takeTurns(
  sides: readonly NetworkSide[],
  rounds: number,
  say: (text: string) => void,
): Promise<Record<NetworkSide["name"], Figures>> {
  const figures = { stock: noFigures(), pair: noFigures() };
  for (let round = 1; round <= rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      side.wake();
      await measure(side, figures[side.name]);
      side.rest();
      say(`round ${round}/${rounds}, ${side.name}: ${describe(figures[side.name])}`);
    }
  }
  return figures;
}

function comparedRows(stock: Figures, pair: Figures): readonly Row[] {
  const speed = { unit: "Mbit/s", better: "higher", target: "ratio >= 0.98" } as const;
  const roundTrip = { unit: "ms", better: "lower" } as const;
  const bound = quantile(stock.roundTripsMs, 0.99) + addedRoundTripMs;
  const target = tailTarget(pair.roundTripsMs, `<= ${bound.toFixed(2)}`);
  return [
    comparedRow({ name: "tcp-rx", ...speed }, stock.rx, pair.rx),
    comparedRow({ name: "tcp-tx", ...speed }, stock.tx, pair.tx),
    comparedRow({ name: "udp-rx", ...speed }, stock.udp, pair.udp),
    row({ name: "rr-latency-stock", ...roundTrip }, stock.roundTripsMs),
    row({ name: "rr-latency-pair", ...roundTrip, target }, pair.roundTripsMs),
  ];
}

function ownRows(figures: Figures, failures: Measured): readonly Row[] {
  const lower = { better: "lower" } as const;
  const share = { unit: "bytes per byte", ...lower };
  const gap = (name: string, values: readonly number[], bound: number) =>
    row({ name, unit: "ms", ...lower, target: tailTarget(values, `< ${bound}`) }, values);
  return [
    holdRow(figures),
    row({ name: "log-rx", ...share, target: "p50 <= 1.05" }, figures.logRx),
    row({ name: "log-tx", ...share, target: "p50 < 0.10" }, figures.logTx),
    gap("gap-killed", failures.killed, 250),
    gap("gap-frozen", failures.frozen, 1_000),
    row({ name: "lost", unit: "lines", ...lower, target: "max <= 0" }, failures.lost),
    row({ name: "repeated", unit: "lines", ...lower, target: "max <= 0" }, failures.repeated),
  ];
}

/** `n` is the number of rounds: medians of what the runner says of its last frames in each. */
function holdRow({ holdP50, holdP99, holdMax }: Figures): Row {
  const named = { name: "hold", unit: "ms", better: "lower" } as const;
  return { ...row(named, holdMax), p50: rounded(median(holdP50)), p99: rounded(median(holdP99)) };
}
