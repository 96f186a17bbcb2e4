/** Figures of a sample. Quantiles are values that were measured, by the nearest rank. */

/** The smallest value that at least `share` of all values do not exceed. */
export function quantile(values: readonly number[], share: number): number {
  if (values.length === 0) throw new Error("no value was measured");
  if (!(share > 0 && share <= 1)) throw new Error(`share ${share} is not above 0 and at most 1`);
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(share * sorted.length) - 1] ?? Number.NaN;
}

/** The middle value; of an even number of values, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const lower = quantile(values, 0.5);
  if (values.length % 2 === 1) return lower;
  const sorted = [...values].sort((a, b) => a - b);
  return (lower + (sorted[values.length / 2] ?? lower)) / 2;
}
