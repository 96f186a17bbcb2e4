/** What a process tells Prometheus: numbers by name and labels, and histograms. Pure. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** How many values lie at or below each bound; the last bound is infinite. */
export interface Histogram {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
}

export function samplesOf(text: string): Sample[] {
  return text.split("\n").flatMap((line) => {
    const [, name, labels = "", value] =
      /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$/.exec(line) ?? [];
    if (name === undefined) return [];
    return [{ name, labels: labelsOf(labels), value: numberOf(value) }];
  });
}

function labelsOf(text: string): Record<string, string> {
  const pairs = text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries([...pairs].map(([, name = "", value = ""]) => [name, value]));
}

function numberOf(text: string | undefined): number {
  return text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
}

/** Of all series of this name that have these labels; 0: there is none. */
export function sumOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number {
  const wanted = Object.entries(labels);
  return samples
    .filter((sample) => sample.name === name)
    .filter((sample) => wanted.every(([label, value]) => sample.labels[label] === value))
    .reduce((sum, { value }) => sum + value, 0);
}

/** @throws Error when there is none of this name */
export function histogramOf(samples: readonly Sample[], name: string): Histogram {
  const buckets = samples
    .filter((sample) => sample.name === `${name}_bucket`)
    .map(({ labels, value }) => ({ bound: numberOf(labels["le"]), value }))
    .sort((a, b) => a.bound - b.bound);
  if (buckets.length === 0) throw new Error(`there is no histogram ${name}`);
  return { bounds: buckets.map(({ bound }) => bound), counts: buckets.map(({ value }) => value) };
}

/** What came after `before`, of the same process. */
export function since(before: Histogram, now: Histogram): Histogram {
  return { ...now, counts: now.counts.map((count, i) => count - (before.counts[i] ?? 0)) };
}

export function countOf({ counts }: Histogram): number {
  return counts.at(-1) ?? 0;
}

/**
 * As Prometheus' histogram_quantile: the values of a bucket are taken to lie evenly in it. Above the last
 * finite bound nothing is known, and that bound is the answer. @throws Error without values
 */
export function histogramQuantile({ bounds, counts }: Histogram, share: number): number {
  const total = counts.at(-1) ?? 0;
  if (total === 0) throw new Error("no value was measured");
  const rank = share * total;
  const index = counts.findIndex((count) => count >= rank);
  const [bound = 0, below = 0] = [bounds[index], bounds[index - 1]];
  if (!Number.isFinite(bound)) return below;
  const [count = 0, countBelow = 0] = [counts[index], counts[index - 1]];
  return below + ((bound - below) * (rank - countBelow)) / (count - countBelow);
}

/** The bound that no value exceeds; above the last finite one nothing is known. @throws Error without values */
export function largestBound(histogram: Histogram): number {
  return histogramQuantile(histogram, 1);
}
