import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net, { type AddressInfo, type Server } from "node:net";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { follower, primary, record, stateOf } from "../../../test/pair-states.ts";
import { orderPowerOff, orderRedial } from "../../operator/kube/orders.ts";
import { pskBytes, pskClientOptions, pskServerOptions } from "../../platform/psk.ts";
import type { PairState } from "../failover/pair-types.ts";
import { startControl } from "./control-server.ts";
import { startRunnerHttp } from "./runner-http.ts";
import { RunnerMeter } from "./runner-meter.ts";

const host = "127.0.0.1";
const vm = "vm-1";
const key = randomBytes(pskBytes);
const timeoutMs = 10_000;
const mine = record(1, "me");

let state: PairState;
let orders: number;
let redials: number;
let hasGateway: boolean;
let warnings: unknown[];
let servers: Server[];

beforeEach(() => {
  state = stateOf(primary(), mine);
  orders = 0;
  redials = 0;
  hasGateway = true;
  warnings = [];
  servers = [];
});
afterEach(() => {
  for (const server of servers) server.close();
});

function portOf(server: Server): number {
  servers.push(server);
  return (server.address() as AddressInfo).port;
}

async function control(): Promise<number> {
  return portOf(
    await startControl({
      ...{ listen: { host, port: 0 }, vm, key, state: () => state },
      onPowerOff: () => orders++,
      onRedial: hasGateway ? () => redials++ : null,
      logger: { warn: (what: unknown) => warnings.push(what) },
    }),
  );
}

test("the live primary takes the order, as often as it is given", async () => {
  const address = { host, port: await control(), vm, key, timeoutMs };
  expect(await orderPowerOff(address)).toEqual({ kind: "accepted" });
  expect(await orderPowerOff(address)).toEqual({ kind: "accepted" });
  expect(orders).toBe(2);
});

test.each<[string, PairState, string]>([
  [
    "backup",
    stateOf(follower(), record(2, "peer", "me")),
    "this runner is backup, not the primary",
  ],
  [
    "primary that is not live",
    stateOf(primary({ live: false }), mine),
    "this runner is the primary, but the guest does not run in it yet",
  ],
  [
    "primary that hands over",
    stateOf(primary({ leaving: { kind: "pausing", untilMs: 0 } }), mine),
    "this runner is leaving; the next primary takes orders",
  ],
])("a %s refuses with a sentence", async (_, its, message) => {
  state = its;
  const port = await control();
  const answer = await orderPowerOff({ host, port, vm, key, timeoutMs });
  expect(answer).toEqual({ kind: "refused", message });
  expect(orders).toBe(0);
});

test("any runner dials its gateway again when it is told to, and one without a gateway says so", async () => {
  state = stateOf(follower(), record(2, "peer", "me"));
  const address = { host, vm, key, timeoutMs };
  expect(await orderRedial({ ...address, port: await control() })).toEqual({ kind: "accepted" });
  expect([redials, orders]).toEqual([1, 0]);
  hasGateway = false;
  const message = "this VM has no gateway";
  const answer = await orderRedial({ ...address, port: await control() });
  expect(answer).toEqual({ kind: "refused", message });
});

test.each([
  ["another key", { key: randomBytes(pskBytes) }],
  ["another VM's id", { vm: "vm-2" }],
])("whoever has %s is not heard", async (_, other) => {
  const port = await control();
  const answer = await orderPowerOff({ host, port, vm, key, timeoutMs, ...other });
  expect(answer).toEqual({
    kind: "no answer",
    message: expect.stringMatching(/^the runner at .* has another key than ours for VM /),
  });
  expect(orders).toBe(0);
  expect(warnings).toHaveLength(1);
});

test.each([
  ["GET", "/poweroff"],
  ["GET", "/redial"],
  ["POST", "/status"],
  ["GET", "/metrics"],
])("%s %s is no order", async (method, path) => {
  const request = https.request({
    ...pskClientOptions(vm, key),
    ...{ host, port: await control(), method, path, agent: false },
  });
  request.end();
  const [response] = await once(request, "response");
  let text = "";
  for await (const chunk of response) text += chunk;
  expect(response.statusCode).toBe(404);
  const error = `no such order: ${method} ${path}; this port takes POST /poweroff and POST /redial`;
  expect(JSON.parse(text)).toEqual({ error });
});

test("a runner that is gone, and one that says nothing, are no answer within the bound", async () => {
  const silent = net.createServer().listen(0, host);
  await once(silent, "listening");
  const port = portOf(silent);
  const bound = { host, port, vm, key, timeoutMs: 100 };
  expect(await orderPowerOff(bound)).toEqual({
    kind: "no answer",
    message: `the runner at ${host}:${port} did not answer within 100 ms`,
  });
  silent.close();
  const gone = net.createServer().listen(0, host);
  await once(gone, "listening");
  const { port: free } = gone.address() as AddressInfo;
  gone.close();
  await once(gone, "close");
  expect(await orderPowerOff({ ...bound, port: free, timeoutMs })).toEqual({
    kind: "no answer",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

test("somebody else's answer does not count as the runner's", async () => {
  const server = https.createServer({
    ...pskServerOptions(new Map([[vm, key]])),
  });
  server.on("request", (_request, response) => response.writeHead(500).end("oops\n"));
  server.listen(0, host);
  await once(server, "listening");
  const port = portOf(server);
  const answer = await orderPowerOff({ host, port, vm, key, timeoutMs });
  const message = `the runner at ${host}:${port} answered 500: oops`;
  expect(answer).toEqual({ kind: "no answer", message });
});

test.each([
  ["has no power switch where orders have a port of their own", null, 404],
  ["has one where there is no such port", () => orders++, 202],
])("the plain port %s", async (_, onPowerOff, status) => {
  const network = () => {
    throw new Error("nobody asked for it");
  };
  const meter = new RunnerMeter(() => state, network);
  const listen = { host, port: 0 };
  const server = await startRunnerHttp({
    ...{ listen, name: "test", state: () => state, network, meter },
    onPowerOff: onPowerOff as (() => void) | null,
  });
  const request = http.request({ host, port: portOf(server), method: "POST", path: "/poweroff" });
  request.end();
  const [response] = await once(request, "response");
  response.resume();
  expect(response.statusCode).toBe(status);
  expect(orders).toBe(status === 202 ? 1 : 0);
});
