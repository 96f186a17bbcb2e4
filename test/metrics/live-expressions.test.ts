/**
 * Every expression of the chart's alert rules and dashboards, asked of a real Prometheus that has read a
 * real pair, its gateway and an operator's metrics through a failover.
 */
import http from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { prepareNetwork } from "../../src/cli/prepare-network.ts";
import { OperatorMetrics } from "../../src/operator/metrics/operator-metrics.ts";
import { isThere } from "../cluster/debian-programs.ts";
import { freePort } from "../integration/pair-ports.ts";
import { PairProcesses, TestProcess, type TestRunner } from "../integration/pair-processes.ts";
import { dashboards } from "./dashboard-files.ts";
import { PrometheusProcess } from "./prometheus-process.ts";
import { alertRules, rulesPath } from "./rule-file.ts";

jest.setTimeout(240_000);

const host = "127.0.0.1";
const machine = { namespace: "shop", vm: "web" };
/** What Grafana and the user put in place of the variables. */
const variables = new Map([
  ["$__rate_interval", "15s"],
  ["$__range", "60s"],
  ["$namespace", machine.namespace],
  ["$vm", machine.vm],
]);
/** Empty while all is well. */
const emptyByRight = [/^ALERTS\{/];

const network = await prepareNetwork({ mayBuild: true, onProgress: () => {} });
const why = isThere("prometheus")
  ? network.kind === "there"
    ? ""
    : network.why
  : "run: apt-get install prometheus";
const withPrometheus = why === "" ? test : test.skip;
const unlessSkipped = why === "" ? "" : ` (skipped: ${why})`;

let pair: PairProcesses;
let gateway: TestProcess;
let prometheus: PrometheusProcess;
let operator: http.Server;

beforeAll(async () => {
  if (why !== "") return;
  pair = await PairProcesses.create();
  const [port, gatewayHttp] = [await freePort(), await freePort()];
  gateway = startGateway(port, gatewayHttp);
  await pair.until("the gateway serves", () => gateway.stdout.includes("ready"));
  operator = await serveOperator();
  const { port: operatorPort } = operator.address() as AddressInfo;
  const runners = pair.places.map((place, i) => ({
    port: place.http,
    labels: { ...machine, component: "runner", pod: `web-runner-${i}` },
  }));
  prometheus = await PrometheusProcess.start(
    [
      ...runners,
      { port: gatewayHttp, labels: { ...machine, component: "gateway", pod: "web-gateway-0" } },
      {
        port: operatorPort,
        labels: { namespace: "lockstep-system", component: "operator", pod: "operator-0" },
      },
    ],
    rulesPath,
  );
  await pair.until("Prometheus serves", () => prometheus.isReady());
  await failOver(`${host}:${port}`);
});

afterAll(async () => {
  if (why !== "") return;
  await prometheus?.stop();
  operator?.close();
  await gateway?.kill();
  await pair?.stop();
});

function startGateway(port: number, httpPort: number): TestProcess {
  const where = ["--listen", `${host}:${port}`, "--http", `${host}:${httpPort}`];
  const who = ["--vm", pair.vm, "--arbiter", pair.arbiterAddress, "--key", pair.keyFile];
  const args = ["gateway", ...who, ...where, "--ready-port", "80", "--exit-with-parent"];
  return new TestProcess("gateway", args, { TMPDIR: pair.folder });
}

/** The primary is killed, its backup takes over, and another runner takes the place of the dead one. */
async function failOver(gatewayAddress: string): Promise<void> {
  const more = ["--gateway", gatewayAddress];
  const [a, b] = pair.places.map((place) => pair.startRunner(place, { more })) as [
    TestRunner,
    TestRunner,
  ];
  const primary = await pair.untilPaired(a, b);
  const backup = primary === a ? b : a;
  await untilSeen("a pair", `sum(lockstep_role{role="backup"}) == 1`);
  await untilSeen("no take-over", `min(lockstep_takeovers_total) == 0`);
  await primary.process.kill();
  await pair.untilAlone(backup);
  await untilSeen("the primary's end", `count(up{component="runner"} == 0) == 1`);
  await pair.untilPaired(backup, pair.startRunner(primary.place, { more }));
  // Two readings, of which one is after everything, make a rate.
  await untilSeen("a pair again", `min_over_time((sum(lockstep_fault_tolerant) == 1)[5s:1s]) == 1`);
  await untilSeen("readings of all", `min(count_over_time(up[5s])) >= 4 and min(up) == 1`);
}

async function untilSeen(what: string, expression: string): Promise<void> {
  await pair.until(`Prometheus sees ${what}`, async () => {
    return (await prometheus.query(expression)).length > 0;
  });
}

/** What an operator with two machines, one of them without a backup, would have counted. */
async function serveOperator(): Promise<http.Server> {
  const metrics = new OperatorMetrics();
  metrics.readQueue({ depth: () => 0 });
  metrics.setLeader(true);
  const ready = { type: "Ready", status: "True", reason: "GuestRuns" } as const;
  const complete = { type: "FaultTolerant", status: "True", reason: "PairComplete" } as const;
  const alone = { type: "FaultTolerant", status: "False", reason: "NoSecondNode" } as const;
  metrics.machines.observe(machine.namespace, machine.vm, {
    ...{ phase: "Running", nodes: 2, nodesWanted: 2, conditions: [ready, complete] },
  });
  metrics.machines.observe(machine.namespace, "alone", {
    ...{ phase: "Unprotected", nodes: 1, nodesWanted: 2, conditions: [ready, alone] },
  });
  const pods = { resource: "pods", name: "pods" };
  metrics.watches.onStart(pods);
  metrics.watches.onList(pods, 3);
  metrics.watches.onEvent(pods, "added");
  metrics.startReconcile(1)(null);
  metrics.onWrite("Pod", "create");
  metrics.onEvent("Normal", "BackupJoined");
  const server = http.createServer(async (_request, response) => {
    response.setHeader("content-type", metrics.registry.contentType);
    response.end(await metrics.registry.metrics());
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return server;
}

withPrometheus(`every expression of the dashboards gives something${unlessSkipped}`, async () => {
  const empty: string[] = [];
  for (const { origin, expression } of expressionsOfDashboards()) {
    const found = await prometheus.query(expression);
    const mayBeEmpty = emptyByRight.some((pattern) => pattern.test(expression));
    if (found.length === 0 && !mayBeEmpty) empty.push(`${origin}: ${expression}`);
  }
  expect(empty).toEqual([]);
});

withPrometheus(`every variable of the dashboards has values${unlessSkipped}`, async () => {
  for (const { title, templating } of dashboards()) {
    for (const { name, query } of templating.list) {
      if (typeof query === "string") continue;
      const [, series = "", label = ""] = /^label_values\((.*), (\w+)\)$/.exec(query.query) ?? [];
      const found = await prometheus.query(`count by (${label}) (${substitute(series)})`);
      const values = found.map(({ metric }) => metric[label]);
      expect({ title, name, values }).toEqual({ title, name, values: [variables.get(`$${name}`)] });
    }
  }
});

withPrometheus(
  `every series of the alert rules is there, and Prometheus evaluates all of them${unlessSkipped}`,
  async () => {
    for (const { alert, expr } of alertRules()) {
      // It throws where Prometheus does not understand it.
      await prometheus.query(expr);
      for (const [selector] of expr.matchAll(/\b(?:lockstep_\w+|up)(?:\{[^}]*\})?/g)) {
        const series = await prometheus.query(selector);
        expect({ alert, selector, isThere: series.length > 0 }).toEqual({
          alert,
          selector,
          isThere: true,
        });
      }
    }
    const health = await prometheus.rules();
    expect([...health.keys()]).toEqual(alertRules().map(({ alert }) => alert));
    expect(new Set(health.values())).toEqual(new Set(["ok"]));
  },
);

withPrometheus(`a failover is told once, by whoever lives${unlessSkipped}`, async () => {
  expect(await onlyValue("max by (namespace, vm) (lockstep_takeovers_total)")).toBe(1);
  expect(await onlyValue('sum(lockstep_go_live_seconds_count{cause="takeover"})')).toBe(1);
  expect(await onlyValue('sum(lockstep_role{role="primary"})')).toBe(1);
  expect(await onlyValue("lockstep_gateway_failovers_total")).toBeGreaterThanOrEqual(1);
  expect(await onlyValue("lockstep_execution_lag_seconds")).toBeGreaterThanOrEqual(0);
  expect(await onlyValue("count(lockstep_execution_lag_seconds)")).toBe(1);
  // The operator's word about a machine carries the machine's names, not those of its own pod.
  const [nodes] = await prometheus.query('lockstep_vm_nodes{namespace="shop", vm="web"}');
  expect(nodes).toMatchObject({ metric: { pod: "operator-0", component: "operator" } });
});

async function onlyValue(expression: string): Promise<number> {
  const [first, ...others] = await prometheus.query(expression);
  expect({ expression, others }).toEqual({ expression, others: [] });
  return Number(first?.value[1]);
}

function expressionsOfDashboards(): { readonly origin: string; readonly expression: string }[] {
  return dashboards()
    .flatMap(({ title, panels, annotations }) => [
      ...panels.flatMap((panel) =>
        (panel.targets ?? []).map(({ expr }) => ({ origin: `${title}, ${panel.title}`, expr })),
      ),
      ...annotations.list.map(({ expr }) => ({ origin: `${title}, annotations`, expr })),
    ])
    .map(({ origin, expr }) => ({ origin, expression: substitute(expr) }));
}

function substitute(expression: string): string {
  let text = expression;
  for (const [variable, value] of variables) text = text.replaceAll(variable, value);
  expect(text).not.toContain("$");
  return text;
}
