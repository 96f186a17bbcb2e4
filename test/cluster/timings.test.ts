/** What the two profiles promise. */
import { expect, test } from "@jest/globals";
import { profiles, type Timings, timingsOf } from "./timings.ts";

test("the default profile is what Kubernetes does when nobody sets anything", () => {
  expect(timingsOf.default).toEqual({
    // KubeletConfiguration v1beta1
    nodeStatusUpdateFrequency: "10s",
    nodeStatusReportFrequency: "5m",
    nodeLeaseDurationSeconds: 40,
    // kube-controller-manager --help
    nodeMonitorPeriod: "5s",
    nodeMonitorGracePeriod: "50s",
    nodeEvictionRate: 0.1,
    secondaryNodeEvictionRate: 0.01,
    largeClusterSize: 50,
    // kube-apiserver --help
    tolerationSeconds: 300,
  } satisfies Timings);
});

test("the fast profile notices a lost node sooner in every respect", () => {
  const slow = inNumbers(timingsOf.default);
  const fast = inNumbers(timingsOf.fast);
  for (const name of ["nodeEvictionRate", "secondaryNodeEvictionRate"])
    expect(fast[name]).toBeGreaterThan(slow[name] ?? 0);
  for (const name of Object.keys(slow).filter((key) => !key.endsWith("Rate")))
    expect({ name, isLess: Number(fast[name]) < Number(slow[name]) }).toEqual({
      name,
      isLess: true,
    });
});

test.each(profiles)(
  "with the profile %s, nodes speak several times before they count as lost",
  (profile) => {
    const {
      nodeStatusUpdateFrequency,
      nodeLeaseDurationSeconds,
      nodeMonitorPeriod,
      nodeMonitorGracePeriod,
    } = inNumbers(timingsOf[profile]);
    const graceSeconds = Number(nodeMonitorGracePeriod);
    expect(graceSeconds).toBeGreaterThanOrEqual(2 * Number(nodeStatusUpdateFrequency));
    // kubelet renews its Lease after a quarter of how long it is valid.
    expect(graceSeconds).toBeGreaterThanOrEqual(4 * (Number(nodeLeaseDurationSeconds) / 4));
    expect(graceSeconds).toBeGreaterThanOrEqual(2 * Number(nodeMonitorPeriod));
  },
);

/** Durations in seconds. */
function inNumbers(timings: Timings): Readonly<Record<string, number>> {
  const entries = Object.entries(timings).map(([name, value]): [string, number] => {
    if (typeof value === "number") return [name, value];
    expect(value).toMatch(/^\d+[sm]$/);
    return [name, Number(value.slice(0, -1)) * (value.endsWith("m") ? 60 : 1)];
  });
  return Object.fromEntries(entries);
}
