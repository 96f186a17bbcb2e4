/** docs/metrics.md lists the metrics of the code, and their names follow Prometheus' rules. */
import { readFileSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { allMetrics, type MetricEntry } from "./all-metrics.ts";

const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
const metrics = allMetrics();

test("docs/metrics.md lists every metric, with its type, its labels and what it means", () => {
  const rows = page
    .split("\n")
    .filter((line) => /^\| `[a-z_]+` \| (counter|gauge|hist)/.test(line));
  expect(rows).toEqual(metrics.map(rowOf));
});

function rowOf({ name, type, labels, help, component }: MetricEntry): string {
  const names = labels.map((label) => `\`${label}\``).join(", ");
  return `| \`${name}\` | ${type} | ${names} | ${help} | ${component} |`;
}

/** Suffixes that say what one of it is. */
const units = /_(seconds|bytes|ratio|timestamp_seconds)$/;
/** Numbers of things, and answers yes or no. */
const unitless = new Set([
  ...["role", "live", "fault_tolerant", "epoch", "execution_lag_entries"],
  ...["state_transfer_running", "network_attached"],
  ...["gateway_epoch", "gateway_attached", "gateway_gvproxy_running", "gateway_guest_ready"],
  ...["gateway_in_flight_frames", "operator_leader", "operator_queue_depth"],
  ...["operator_watch_running", "operator_watch_objects"],
  ...["vms", "vms_by_condition", "vm_nodes", "vm_nodes_wanted"],
]);

test.each(metrics)("$name is named by Prometheus' rules", ({ name, type, help }) => {
  expect(name).toMatch(/^(lockstep|process)_[a-z_]+$/);
  expect(help).not.toBe("");
  expect(help).not.toMatch(/\|/);
  expect(name).not.toMatch(/_(count|sum|bucket|ms|millis|milliseconds|kb|kib|mib)(_|$)/);
  expect({ name, total: name.endsWith("_total") }).toEqual({ name, total: type === "counter" });
  if (type === "counter" || name.endsWith("_info")) return;
  const bare = name.replace(/^lockstep_/, "");
  expect({ name, hasUnit: units.test(name) }).toEqual({ name, hasUnit: !unitless.has(bare) });
});

test("a label is a word for a small set, or the machine", () => {
  const known =
    /^(role|kind|cause|direction|reason|phase|condition|status|type|verb|result|resource)$/;
  const ofInfo = /^(version|vm_id|vm_name)$/;
  const ofMachine = /^(namespace|vm)$/;
  for (const { name, labels } of metrics) {
    const expected = name.endsWith("_info")
      ? ofInfo
      : name.startsWith("lockstep_vm_")
        ? ofMachine
        : known;
    expect({ name, odd: labels.filter((label) => !expected.test(label)) }).toEqual({
      name,
      odd: [],
    });
  }
});
