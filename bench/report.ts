/** What every benchmark prints: one shape as JSON, and a table for people. */
import os from "node:os";
import { median, quantile } from "./statistics.ts";

export interface Report {
  readonly name: string;
  readonly machine: string;
  readonly rows: readonly Row[];
}

export interface Row {
  readonly name: string;
  readonly unit: string;
  readonly better: "higher" | "lower";
  /** Medians of both sides, in the row's unit. */
  readonly stock?: number;
  readonly pair?: number;
  /** Above 1: the pair is better. */
  readonly ratio?: number;
  /** How many values were measured (of the pair, where there are two sides). */
  readonly n: number;
  readonly p50: number;
  /** Only of 100 values or more. */
  readonly p99?: number;
  readonly max: number;
  /** A figure of this row, a comparison and a number: "ratio >= 0.98". */
  readonly target?: string;
}

/** Fewer values have no meaningful 99th percentile. */
const valuesForP99 = 100;

type Named = Pick<Row, "name" | "unit" | "better" | "target">;

/** The row of one quantity. */
export function row(named: Named, values: readonly number[]): Row {
  const { name, unit, better, target } = named;
  return {
    ...{ name, unit, better },
    n: values.length,
    p50: rounded(median(values)),
    ...(values.length < valuesForP99 ? {} : { p99: rounded(quantile(values, 0.99)) }),
    max: rounded(quantile(values, 1)),
    ...(target === undefined ? {} : { target }),
  };
}

/** The row of a quantity that both sides have; the rest is of the pair. */
export function comparedRow(named: Named, stock: readonly number[], pair: readonly number[]): Row {
  const { name, unit, better, ...figures } = row(named, pair);
  const [ofStock, ofPair] = [median(stock), median(pair)];
  const ratio = better === "lower" ? ofStock / ofPair : ofPair / ofStock;
  const compared = { stock: rounded(ofStock), pair: rounded(ofPair), ratio: rounded(ratio) };
  return { name, unit, better, ...compared, ...figures };
}

/** A target that holds for the 99th percentile in a long run, and for every value in a short one. */
export function tailTarget(values: readonly number[], comparison: string): string {
  return `${values.length < valuesForP99 ? "max" : "p99"} ${comparison}`;
}

/** Whether the row's target is met; null: it has none. */
export function isMet(measured: Row): boolean | null {
  if (measured.target === undefined) return null;
  const [, figure, comparison, bound] =
    /^(ratio|p50|p99|max) (<|<=|>=) (\d+(?:\.\d+)?)$/.exec(measured.target) ?? [];
  const value = figureOf(measured, figure);
  if (value === undefined) throw new Error(`target "${measured.target}" has no meaning here`);
  if (comparison === "<") return value < Number(bound);
  return comparison === "<=" ? value <= Number(bound) : value >= Number(bound);
}

function figureOf({ ratio, p50, p99, max }: Row, figure: string | undefined): number | undefined {
  const figures: Record<string, number | undefined> = { ratio, p50, p99, max };
  return figure === undefined ? undefined : figures[figure];
}

/** Which computer the figures are of. */
export function describeMachine(): string {
  const [first] = os.cpus();
  const memory = `${Math.round(os.totalmem() / 2 ** 30)} GiB`;
  return `${os.cpus().length} x ${first?.model.trim() ?? os.arch()}, ${memory}, Node ${process.versions.node}`;
}

const headings = ["", "unit", "stock", "pair", "ratio", "n", "p50", "p99", "max", "target", ""];

/** For people. */
export function table({ name, machine, rows }: Report): string {
  const lines = [headings, ...rows.map(cells)];
  const widths = headings.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  const isText = (column: number) => column < 2 || column > 8;
  const text = lines.map((line) =>
    line
      .map((cell, i) => (isText(i) ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return `${name} on ${machine}\n${text.join("\n")}\n`;
}

function cells(shown: Row): string[] {
  const { name, unit, stock, pair, ratio, n, p50, p99, max, target } = shown;
  const figures = [stock, pair, ratio, n, p50, p99, max].map((value) => value?.toString() ?? "");
  const met = isMet(shown);
  return [name, unit, ...figures, target ?? "", met === null ? "" : met ? "met" : "MISSED"];
}

/** Four digits tell all that a benchmark knows; whole numbers stay whole. */
export function rounded(value: number): number {
  return Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
}
