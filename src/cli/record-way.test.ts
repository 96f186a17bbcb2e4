import { expect, test } from "@jest/globals";
import { gatewayWay, parseIp, parseLease, parsePod, runnerWay } from "./record-way.ts";

const arbiter = { host: "127.0.0.1", port: 1 };
const peer = { host: "127.0.0.1", port: 2 };
const lease = { namespace: "shop", name: "web" };
const address = "10.0.0.1";
const pod = "web-runner-0";

test("a runner's record is an arbiter's, or a Lease", () => {
  expect(runnerWay({ arbiter, peer })).toEqual({ kind: "arbiter", arbiter, peer });
  expect(runnerWay({ lease, address, pod })).toEqual({ kind: "lease", lease, address, pod });
});

test.each([
  ["nothing", {}, "not given: --arbiter, --peer; "],
  ["an arbiter without a peer", { arbiter }, "not given: --peer; "],
  ["a peer without an arbiter", { peer }, "not given: --arbiter; "],
  ["a Lease alone", { lease }, "not given: --address, --pod; "],
  ["a Lease and no pod", { lease, address }, "not given: --pod; "],
  ["a pod alone", { pod }, "not given: --lease, --address; "],
  ["both ways", { arbiter, peer, lease, address, pod }, "--pod do not go together; "],
  ["a bit of both", { arbiter, lease }, "--arbiter, --lease do not go together; "],
  ["a Lease with a peer", { lease, address, pod, peer }, "do not go together; "],
])("a runner that is given %s is refused with one sentence", (_, flags, message) => {
  const ways = "give --arbiter with --peer, or --lease with --address and --pod";
  expect(() => runnerWay(flags)).toThrow(message + ways);
});

test("a gateway's record is an arbiter's, or a Lease, and never both", () => {
  expect(gatewayWay({ arbiter })).toEqual({ kind: "arbiter", arbiter });
  expect(gatewayWay({ lease })).toEqual({ kind: "lease", lease });
  expect(() => gatewayWay({})).toThrow("where the record is; give --arbiter or --lease");
  expect(() => gatewayWay({ arbiter, lease })).toThrow("both are given; give --arbiter or --lease");
});

test("what is no Lease, no address and no pod is refused with what was expected", () => {
  expect(parseLease("shop/web")).toEqual(lease);
  expect(() => parseLease("web")).toThrow("namespace/name");
  expect(parseIp("fd00::1")).toBe("fd00::1");
  expect(() => parseIp("web.shop")).toThrow("an IP address");
  expect(parsePod(pod)).toBe(pod);
  expect(() => parsePod("a".repeat(112))).toThrow("up to 111");
  expect(() => parsePod("a_b")).toThrow("the name of a pod");
});
