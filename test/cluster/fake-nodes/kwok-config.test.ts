import { expect, test } from "@jest/globals";
import { layoutOf } from "../layout.ts";
import type { Profile } from "../timings.ts";
import { kwokArguments, kwokConfig, leaseDurationSeconds } from "./kwok-config.ts";
import { stages } from "./stages.ts";

const specOf = (nodeCount: number, profile: Profile) => {
  return { name: "try", number: 101, level: "fake-nodes", nodeCount, profile } as const;
};

test.each([
  [1, "fast", 4],
  [50, "fast", 4],
  [100, "fast", 4],
  [200, "fast", 8],
  [500, "fast", 16],
  [1000, "fast", 16],
  [50, "default", 40],
  [1000, "default", 40],
] as const)("%d nodes with the timings %s have leases of %d s", (count, profile, seconds) => {
  expect(leaseDurationSeconds(specOf(count, profile))).toBe(seconds);
});

test("kwok reads its own files, plays only nodes that have power, and opens no server", () => {
  const args = kwokArguments(layoutOf(specOf(50, "fast"), "/clusters"));
  expect(args).toEqual([
    "--kubeconfig=/clusters/try/pki/kwok.kubeconfig",
    "--config=/clusters/try/kwok.yaml",
    "--manage-nodes-with-label-selector=lockstep.test/power=on",
    "--node-lease-duration-seconds=4",
    "--v=WARN",
  ]);
});

test("the configuration has the options first, and then every stage once", () => {
  const documents = kwokConfig()
    .split("---\n")
    .map((text) => JSON.parse(text));
  const named = documents.map(({ kind, metadata }) => metadata?.name ?? kind);
  expect(named).toEqual(["KwokConfiguration", ...stages.map(({ name }) => name)]);
  const steps = documents.slice(1).map(({ spec }) => spec.steps);
  expect(steps.filter((step) => JSON.stringify(step) === '[{"delete":true}]')).toHaveLength(1);
  for (const [i, { status }] of stages.entries()) {
    if (status === null) continue;
    expect(steps[i]).toMatchObject([{ patch: { subresource: "status", root: "status" } }]);
  }
});

test("templates open and close the same number of braces, of Go and of YAML", () => {
  for (const { name, status } of stages) {
    const text = status ?? "";
    const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0;
    const opened = count(/\{\{ (if|range|with) /g);
    expect([name, count(/\{\{ end \}\}|\{\{end\}\}/g)]).toEqual([name, opened]);
    const plain = text.replaceAll(/\{\{.*?\}\}/g, "x");
    expect([name, plain.match(/[{}]{2}/)]).toEqual([name, null]);
  }
});
