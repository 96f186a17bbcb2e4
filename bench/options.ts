/** What every benchmark is told. */
export interface BenchOptions {
  readonly quick: boolean;
  /** How often each thing is measured; null: as the benchmark thinks best. */
  readonly rounds: number | null;
  /** Kills and freezes, each (`failover`). */
  readonly n: number | null;
  /** How many machines (`operator-scale`). */
  readonly machines: number | null;
  /** What happens, for people, on standard error. */
  readonly say: (text: string) => void;
  /** Cores for the two halves (the same one twice where there is only one). */
  readonly cores: readonly [number, number];
}
