/** The demo's result, as `lockstep demo --json` prints it; part of the command's interface. */
import type { CountedOutput, Transport } from "./counted-output.ts";
import type { KillReport } from "./demo-run.ts";

export interface DemoReport {
  readonly ok: boolean;
  /** How the guest was seen to count. */
  readonly transport: Transport;
  readonly kills: readonly KillReport[];
  readonly numbers: number;
  readonly missing: number;
  readonly repeated: number;
  /** Lines that are no number, on the TCP connection. */
  readonly wrong: number;
  /** How often the TCP connection broke. */
  readonly resets: number;
}

export function demoReport(kills: readonly KillReport[], output: CountedOutput): DemoReport {
  const { transport, counter, resets } = output;
  const count = (kind: string) => counter.faults.filter((fault) => fault.kind === kind).length;
  return {
    ok: counter.faults.length === 0 && counter.count > 0 && resets === 0,
    ...{ transport, kills, numbers: counter.count },
    missing: count("missing"),
    repeated: count("repeated"),
    wrong: count("wrong"),
    resets,
  };
}
