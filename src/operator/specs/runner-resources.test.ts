import { expect, test } from "@jest/globals";
import type { ResourcesSpec } from "../api/v1alpha1-spec.ts";
import { memoryMiB, runnerResources } from "./runner-resources.ts";

const cpu = "100m";

test.each<[string, string, ResourcesSpec | undefined, object]>([
  [
    "128Mi",
    "what the guest calls for",
    undefined,
    { requests: { cpu, memory: "704Mi" }, limits: { memory: "1408Mi" } },
  ],
  [
    "1Gi",
    "what the guest calls for",
    {},
    { requests: { cpu, memory: "3392Mi" }, limits: { memory: "5888Mi" } },
  ],
  [
    "128Mi",
    "the user's CPU",
    { requests: { cpu: "1" }, limits: { cpu: "2" } },
    { requests: { cpu: "1", memory: "704Mi" }, limits: { cpu: "2", memory: "1408Mi" } },
  ],
  [
    "128Mi",
    "the user's limit alone, which is then the request too",
    { limits: { memory: "300Mi" } },
    { requests: { cpu }, limits: { memory: "300Mi" } },
  ],
  [
    "128Mi",
    "the user's request alone, without a limit that it could exceed",
    { requests: { memory: "3Gi" } },
    { requests: { cpu, memory: "3Gi" }, limits: {} },
  ],
  [
    "128Mi",
    "what the user asks beyond that",
    { limits: { "example.com/card": "1" } },
    { requests: { cpu, memory: "704Mi" }, limits: { memory: "1408Mi", "example.com/card": "1" } },
  ],
])("a runner with %s of guest memory gets %s", (memory, _, own, expected) => {
  expect(runnerResources(memory, own)).toEqual(expected);
});

test("memory is read as the API's rules let it through", () => {
  expect([memoryMiB("16Mi"), memoryMiB("1Gi")]).toEqual([16, 1024]);
  for (const bad of ["128", "128M", "1.5Gi", "0Mi", ""]) {
    expect(() => memoryMiB(bad)).toThrow(`not "${bad}"`);
  }
});
