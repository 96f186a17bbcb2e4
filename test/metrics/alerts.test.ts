/** The chart's alert rules: Prometheus takes them, they fire when they should, and each has a runbook. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";
import { isThere } from "../cluster/debian-programs.ts";
import { alertRules, rulesPath } from "./rule-file.ts";

const scenarios = fileURLToPath(new URL("alerts.promtool.yaml", import.meta.url));
const runbooks = readFileSync(new URL("../../docs/runbooks.md", import.meta.url), "utf8");
const rules = alertRules();

const withPromtool = isThere("promtool") ? test : test.skip;
const unlessThere = isThere("promtool") ? "" : " (skipped: run: apt-get install prometheus)";

withPromtool(`promtool takes the rules, with all its lints${unlessThere}`, () => {
  const { status, stdout, stderr } = spawnSync(
    "promtool",
    ["check", "rules", "--lint=all", "--lint-fatal", rulesPath],
    { encoding: "utf8" },
  );
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`${rules.length} rules found`);
});

withPromtool(`every alert fires when it should, and not otherwise${unlessThere}`, () => {
  const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", scenarios], {
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain("SUCCESS");
});

withPromtool(`Prometheus takes the scrape configuration of docs/metrics.md${unlessThere}`, () => {
  const page = readFileSync(new URL("../../docs/metrics.md", import.meta.url), "utf8");
  const [, config = ""] = /^```yaml\n(.*?)^```/ms.exec(page) ?? [];
  const folder = mkdtempSync(path.join(os.tmpdir(), "scrape-"));
  try {
    const file = path.join(folder, "prometheus.yml");
    // Debian's Prometheus is built without the discovery of pods; the rest it knows.
    writeFileSync(file, config.replace(/kubernetes_sd_configs: .*/, "static_configs: []"));
    const { status, stderr } = spawnSync("promtool", ["check", "config", file], {
      encoding: "utf8",
    });
    expect({ status, stderr, isThere: config !== "" }).toEqual({
      status: 0,
      stderr: "",
      isThere: true,
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the scenarios make every alert fire", () => {
  const text = readFileSync(scenarios, "utf8");
  const silent = rules.filter(
    ({ annotations }) => !text.includes(`${annotations["runbook_url"]}\n`),
  );
  expect(silent.map(({ alert }) => alert)).toEqual([]);
});

describe.each(rules)("$alert", ({ alert, labels, annotations }) => {
  test("says how bad it is, what it is, and where to read on", () => {
    expect(["warning", "critical"]).toContain(labels["severity"]);
    expect(annotations["summary"]).toMatch(/\.$/);
    expect(annotations["description"]).toMatch(/\.$/);
    expect(annotations["runbook_url"]).toBe(`docs/runbooks.md#${alert.toLowerCase()}`);
  });

  test("has a runbook: meaning, impact, diagnosis, mitigation", () => {
    const [, section = ""] = runbooks.split(new RegExp(`^## ${alert}$`, "m"));
    const [own = ""] = section.split(/^## /m);
    const parts = [...own.matchAll(/^\*\*(\w+)\.\*\* \S/gm)].map(([, part]) => part);
    expect(parts).toEqual(["Meaning", "Impact", "Diagnosis", "Mitigation"]);
  });
});

test("there is no runbook of an alert that does not exist", () => {
  const sections = [...runbooks.matchAll(/^## (\S+)$/gm)].map(([, title]) => title);
  expect(sections).toEqual(rules.map(({ alert }) => alert));
});
