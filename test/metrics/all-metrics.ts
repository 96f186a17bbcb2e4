/** Every metric of the project, as the code registers it. */
import type { Registry } from "prom-client";
import { GatewayMeter } from "../../src/gateway/host/gateway-meter.ts";
import { OperatorMetrics } from "../../src/operator/metrics/operator-metrics.ts";
import { RunnerMeter } from "../../src/vm-runner/host/runner-meter.ts";

export interface MetricEntry {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
  /** "every": of each component. */
  readonly component: string;
}

/** Nothing is read: names, types and labels are there before the first reading. */
export function allMetrics(): MetricEntry[] {
  const components = new Map<string, Registry>([
    ["runner", runnerRegistry()],
    ["gateway", gatewayRegistry()],
    ["operator", operatorRegistry()],
  ]);
  const entries = [...components].flatMap(([component, registry]) =>
    registry.getMetricsAsArray().map((metric) => ({ ...entryOf(metric), component })),
  );
  const shared = entries.filter(({ name }) => name.startsWith("process_"));
  const own = entries.filter((entry) => !shared.includes(entry));
  const once = shared.filter(({ name }, i) => shared.findIndex((e) => e.name === name) === i);
  return [...own, ...once.map((entry) => ({ ...entry, component: "every" }))];
}

function runnerRegistry(): Registry {
  const unread = (): never => {
    throw new Error("nobody reads");
  };
  return new RunnerMeter(unread, unread).registry;
}

function gatewayRegistry(): Registry {
  const meter = new GatewayMeter();
  // SAFETY: its parts are looked at only when somebody reads.
  meter.read({} as Parameters<GatewayMeter["read"]>[0]);
  meter.identify("vm");
  return meter.registry;
}

function operatorRegistry(): Registry {
  const metrics = new OperatorMetrics();
  metrics.readQueue({ depth: () => 0 });
  return metrics.registry;
}

function entryOf(metric: ReturnType<Registry["getMetricsAsArray"]>[number]) {
  // SAFETY: every metric of prom-client has these; its types name only some of them.
  const { name, help, type, labelNames } = metric as unknown as {
    readonly name: string;
    readonly help: string;
    readonly type: string;
    readonly labelNames: readonly string[];
  };
  return { name, type, labels: [...labelNames], help };
}
