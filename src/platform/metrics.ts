/**
 * Metrics that are read when Prometheus asks: what a component knows anyway is not kept twice. Names
 * follow Prometheus' rules (base units, `_total` on counters); docs/metrics.md lists all of them.
 */
import process from "node:process";
import { Counter, Gauge, type Registry } from "prom-client";

/** Null: there is nothing to say now, and the series is absent. */
export type Reading = () => number | null;
/** By the value of the label; a value that is absent has no series. */
export type Readings = () => Readonly<Record<string, number>>;

export class ReadMetrics {
  readonly #registry: Registry;
  readonly #prefix: string;

  /** `prefix` comes before every name. */
  constructor(registry: Registry, prefix: string) {
    this.#registry = registry;
    this.#prefix = prefix;
  }

  gauge(name: string, help: string, read: Reading): void {
    new Gauge({
      ...{ name: this.#prefix + name, help, registers: [this.#registry] },
      collect() {
        const value = read();
        if (value === null) this.remove();
        else this.set(value);
      },
    });
  }

  /** `read` never gives less than before in the life of the process. */
  counter(name: string, help: string, read: Reading): void {
    new Counter({
      ...{ name: this.#prefix + name, help, registers: [this.#registry] },
      collect() {
        const value = read();
        this.remove();
        if (value !== null) this.inc(value);
      },
    });
  }

  gaugeBy(label: string, name: string, help: string, read: Readings): void {
    new Gauge({
      ...{ name: this.#prefix + name, help, labelNames: [label], registers: [this.#registry] },
      collect() {
        this.reset();
        for (const [value, number] of Object.entries(read())) this.set({ [label]: value }, number);
      },
    });
  }

  counterBy(label: string, name: string, help: string, read: Readings): void {
    new Counter({
      ...{ name: this.#prefix + name, help, labelNames: [label], registers: [this.#registry] },
      collect() {
        this.reset();
        for (const [value, number] of Object.entries(read())) this.inc({ [label]: value }, number);
      },
    });
  }

  /** 1, with what does not change while the process lives as labels. */
  info(name: string, help: string, labels: Readonly<Record<string, string>>): void {
    const gauge = new Gauge({
      ...{ name: this.#prefix + name, help, registers: [this.#registry] },
      labelNames: Object.keys(labels),
    });
    gauge.set(labels, 1);
  }
}

/** What every process of the project tells of itself, under the names that everybody uses. */
export function addProcessMetrics(registry: Registry): void {
  const metrics = new ReadMetrics(registry, "process_");
  const startSeconds = Date.now() / 1_000 - process.uptime();
  metrics.counter("cpu_seconds_total", "Processor time of all threads", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  metrics.gauge("resident_memory_bytes", "Memory in use", () => process.memoryUsage.rss());
  metrics.gauge("start_time_seconds", "When the process began, in Unix time", () => startSeconds);
}
