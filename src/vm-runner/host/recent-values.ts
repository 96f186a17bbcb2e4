/** The last values of a measured quantity, for quantiles in a status; metrics keep the rest. */
import type { Quantiles } from "../../shared/protocol/status.ts";

const valuesMax = 2_048;

export class RecentValues {
  readonly #values = new Float64Array(valuesMax);
  #count = 0;

  add(value: number): void {
    this.#values[this.#count++ % valuesMax] = value;
  }

  clear(): void {
    this.#count = 0;
  }

  /** All 0 before the first value. */
  quantiles(): Quantiles {
    const sorted = this.#values.slice(0, Math.min(this.#count, valuesMax)).sort();
    const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
    return { p50: at(0.5), p99: at(0.99), max: at(1) };
  }
}
