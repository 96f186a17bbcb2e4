/** What the proof prints: one shape as JSON, and a table for people. */
import { quantile } from "../../bench/statistics.ts";
import type { FailureKind, SeenFailure } from "./failures.ts";
import type { ClientName, Verdict } from "./real-client.ts";

export interface ProofReport {
  /** Nothing was reset, wrong or lost, and all that was asked for was done. */
  readonly ok: boolean;
  readonly kills: number;
  readonly freezes: number;
  readonly seconds: number;
  readonly clients: readonly ClientReport[];
  readonly skipped: readonly { readonly client: ClientName; readonly reason: string }[];
  /** Why the proof ended early; null: it did not. */
  readonly ended: string | null;
}

export interface ClientReport extends Verdict {
  readonly client: ClientName;
  /** Longest times in which the client received nothing, in milliseconds. */
  readonly gaps: Readonly<Record<GapName, Quantiles | null>>;
}

type GapName = FailureKind | "transfer" | "undisturbed";

interface Quantiles {
  readonly n: number;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export function clientReport(
  client: ClientName,
  verdict: Verdict,
  seen: readonly SeenFailure[],
): ClientReport {
  const own = seen.filter((failure) => failure.client === client);
  const failovers = (kind: FailureKind) =>
    quantiles(own.filter((failure) => failure.kind === kind).map(({ failoverMs }) => failoverMs));
  const gaps = {
    killed: failovers("killed"),
    frozen: failovers("frozen"),
    transfer: quantiles(own.map(({ transferMs }) => transferMs)),
    undisturbed: quantiles(own.map(({ undisturbedMs }) => undisturbedMs)),
  };
  return { client, ...verdict, gaps };
}

export function isClean({ resets, wrongBytes, lostWrites, troubles }: Verdict): boolean {
  return resets === 0 && wrongBytes === 0 && lostWrites === 0 && troubles.length === 0;
}

function quantiles(values: readonly number[]): Quantiles | null {
  if (values.length === 0) return null;
  const at = (share: number) => Number(quantile(values, share).toFixed(1));
  return { n: values.length, p50: at(0.5), p99: at(0.99), max: at(1) };
}

/** For people. */
export function describe(report: ProofReport): string {
  const { ok, kills, freezes, seconds, clients, skipped, ended } = report;
  const lines = [
    `${kills} kills and ${freezes} freezes of the primary in ${seconds.toFixed(0)} s`,
    ...clients.flatMap(describeClient),
    ...skipped.map(({ client, reason }) => `\n${client}: skipped, ${reason}`),
    ...(ended === null ? [] : [`\nended early: ${ended}`]),
    ok ? "\nnothing was reset, wrong or lost" : "\nFAILED",
  ];
  return `${lines.join("\n")}\n`;
}

function describeClient({ client, work, gaps, ...verdict }: ClientReport): string[] {
  const { resets, wrongBytes, lostWrites, troubles } = verdict;
  const counts = `${resets} resets, ${wrongBytes} wrong bytes, ${lostWrites} lost writes`;
  return [
    `\n${client}: ${work}; ${counts}`,
    "  longest silence in ms       n     p50     p99     max",
    gapLine("primary killed", gaps.killed),
    gapLine("primary frozen", gaps.frozen),
    gapLine("state transfer", gaps.transfer),
    gapLine("undisturbed", gaps.undisturbed),
    ...troubles.map((trouble) => `  ${trouble}`),
  ].filter((line) => line !== "");
}

function gapLine(what: string, gap: Quantiles | null): string {
  if (gap === null) return "";
  const figures = [gap.p50, gap.p99, gap.max].map((ms) => ms.toFixed(0).padStart(8));
  return `  ${what.padEnd(20)}${String(gap.n).padStart(9)}${figures.join("")}`;
}
