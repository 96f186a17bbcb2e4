/** The chart's dashboards are what Grafana shows without plugins, of metrics that exist. */
import { describe, expect, test } from "@jest/globals";
import { allMetrics } from "./all-metrics.ts";
import { type Dashboard, dashboards, type Panel } from "./dashboard-files.ts";
import { alertRules } from "./rule-file.ts";

/** Panels that Grafana brings along. */
const panelTypes = ["row", "stat", "timeseries", "table", "state-timeline"];
// Grafana's form, not a template string of ours.
const variable = ["$", "{datasource}"].join("");
const boards = dashboards();

test("there is a dashboard of the fleet and one of a machine, each with an address of its own", () => {
  expect(boards.map(({ uid }) => uid)).toEqual(["lockstep-fleet", "lockstep-machine"]);
});

describe.each(boards)("$title", ({ panels, templating }: Dashboard) => {
  const shown = panels.filter(({ type }) => type !== "row");

  test("its data source is a variable", () => {
    expect(templating.list[0]).toMatchObject({ name: "datasource", type: "datasource" });
    for (const { title, datasource, targets = [] } of shown) {
      expect({ title, datasource }).toEqual({
        title,
        datasource: { type: "prometheus", uid: variable },
      });
      expect(targets.length).toBeGreaterThan(0);
      for (const target of targets) expect(target.datasource.uid).toBe(variable);
    }
  });

  test("every panel has a type that Grafana knows, a title and a unit", () => {
    for (const { type, title, fieldConfig } of shown) {
      expect(panelTypes).toContain(type);
      expect(title).not.toBe("");
      expect({ title, unit: fieldConfig?.defaults.unit }).toEqual({
        title,
        unit: expect.stringMatching(/^[a-zA-Z]+$/),
      });
    }
  });

  test("no two panels have one number, or stand in one place", () => {
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const overlaps = panels.flatMap((one, i) =>
      panels.slice(i + 1).flatMap((other) => (overlap(one, other) ? [[one.id, other.id]] : [])),
    );
    expect(overlaps).toEqual([]);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});

function overlap({ gridPos: a }: Panel, { gridPos: b }: Panel): boolean {
  const apart = a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
  return !apart;
}

test("rules and dashboards speak only of metrics that exist, and the dashboards of most of them", () => {
  const metrics = allMetrics();
  const existing = new Set(metrics.flatMap(({ name, type }) => seriesOf(name, type)));
  const panels = boards.flatMap((board) => board.panels.flatMap(({ targets = [] }) => targets));
  const used = new Set(
    [...panels, ...alertRules()].flatMap(
      ({ expr }) => expr.match(/\b(lockstep|process)_\w+/g) ?? [],
    ),
  );
  expect([...used].filter((name) => !existing.has(name))).toEqual([]);
  const unseen = metrics.filter(({ name, type }) => !seriesOf(name, type).some((s) => used.has(s)));
  expect(unseen.map(({ name }) => name).sort()).toEqual(notShown);
});

/** Metrics for those who look for something: on no panel. */
const notShown = [
  "lockstep_gateway_epoch",
  "lockstep_gateway_in_flight_frames",
  "lockstep_gateway_info",
  "lockstep_network_attached",
  "lockstep_network_bytes_total",
  "lockstep_network_frames_total",
  "lockstep_operator_orders_total",
  "lockstep_operator_pods_deferred_total",
  "lockstep_operator_status_reads_total",
  "lockstep_operator_watch_objects",
  "lockstep_operator_watch_running",
  "process_start_time_seconds",
];

function seriesOf(name: string, type: string): string[] {
  return type === "histogram" ? ["_bucket", "_sum", "_count"].map((end) => name + end) : [name];
}
