/** Durations as users write them. */
import { InvalidArgumentError } from "commander";

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of "500ms", "30s", "10m" or "2h". */
export function parseDuration(text: string): number {
  const match = /^(\d{1,6}(?:\.\d{1,3})?)(ms|s|m|h)$/.exec(text);
  // SAFETY: the expression allows only these units.
  const unit = match?.[2] as keyof typeof unitMs | undefined;
  if (unit === undefined || Number(match?.[1]) <= 0) {
    throw new InvalidArgumentError('expected a duration such as "30s", "500ms" or "10m"');
  }
  return Number(match?.[1]) * unitMs[unit];
}
