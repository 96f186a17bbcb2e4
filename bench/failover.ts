/**
 * `failover`: the primary is killed (SIGKILL) and frozen (SIGSTOP) in turn, while a console client
 * reads the numbered lines of `counter`, one every 10 ms.
 */
import { failRepeatedly, failureSeconds, type Measured } from "./failures.ts";
import { GuestShell } from "./guest-shell.ts";
import { NumberedLines } from "./numbered-lines.ts";
import type { BenchOptions } from "./options.ts";
import { PinnedPair } from "./pinned-pair.ts";
import { type Row, row, tailTarget } from "./report.ts";
import { until } from "./waiting.ts";

export async function failover(options: BenchOptions): Promise<readonly Row[]> {
  const n = options.n ?? (options.quick ? 5 : 20);
  options.say(
    `${n} kills and ${n} freezes: about ${Math.ceil((2 * n * failureSeconds + 20) / 60)} min`,
  );
  const pair = await PinnedPair.start({ guest: "default", memoryMiB: 128, cores: options.cores });
  const lines = await startCounter(pair);
  const measured = await failRepeatedly(pair, lines, n, options.say);
  await pair.close();
  return rows(measured);
}

function rows({ killed, frozen, restored, lost, repeated }: Measured): readonly Row[] {
  const lower = { better: "lower" } as const;
  const ms = (name: string, values: readonly number[], bound: number) =>
    row({ name, unit: "ms", ...lower, target: tailTarget(values, `< ${bound}`) }, values);
  return [
    ms("gap-killed", killed, 100),
    ms("gap-frozen", frozen, 700),
    row({ name: "lost", unit: "lines", ...lower, target: "max <= 0" }, lost),
    row({ name: "repeated", unit: "lines", ...lower, target: "max <= 0" }, repeated),
    ms("redundancy-restored", restored, 5_000),
  ];
}

async function startCounter(pair: PinnedPair): Promise<NumberedLines> {
  const shell = new GuestShell((text) => void client.write(Buffer.from(text)));
  let lines: NumberedLines | null = null;
  const client = pair.console(
    (bytes) => {
      shell.feed(bytes);
      lines?.feed(bytes, performance.now());
    },
    (bytes) => lines?.missed(bytes),
  );
  await shell.ready();
  const counting = new NumberedLines();
  lines = counting;
  client.write(Buffer.from("counter\n"));
  await until("counter prints lines", () => (counting.count > 100 ? true : null));
  return counting;
}
