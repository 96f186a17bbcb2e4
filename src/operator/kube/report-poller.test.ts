import { afterEach, expect, test } from "@jest/globals";
import { gateway, nonce, report, runner } from "../../../test/operator/observations.ts";
import type { GatewayStatus } from "../../shared/protocol/gateway-status.ts";
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import type { ObservedPod } from "../reconcile/observation.ts";
import { ObjectCache } from "./object-cache.ts";
import type { KeptPod } from "./observed.ts";
import { ReportPoller } from "./report-poller.ts";

const vm = "default/web";
const stop: AbortController[] = [];
afterEach(() => {
  for (const controller of stop.splice(0)) controller.abort();
});

/** A poller of one pair with a gateway, whose answers may be changed. */
function newPoller() {
  const cache = new ObjectCache<KeptPod>(() => {});
  const answers: {
    runner: RunnerStatus | null;
    gateway: Pick<GatewayStatus, "attached"> | null;
    wait: () => Promise<void>;
  } = { runner: report({}), gateway: { attached: "me" }, wait: async () => {} };
  const asked = { runner: 0, gateway: 0 };
  const told: string[] = [];
  const put = (pod: ObservedPod) => {
    const value = { owner: "uid", pod };
    cache.put({ key: pod.name, vm, uid: pod.uid, resourceVersion: "1", value });
  };
  const poller = new ReportPoller({
    pods: cache,
    askRunner: async () => {
      asked.runner++;
      await answers.wait();
      return answers.runner;
    },
    askGateway: async () => {
      asked.gateway++;
      return answers.gateway;
    },
    onVm: (key) => told.push(key),
    onRead: () => {},
    random: () => 0.5,
  });
  const controller = new AbortController();
  stop.push(controller);
  put(runner(1));
  put(gateway(3));
  return { poller, put, answers, asked, told, run: () => void poller.run(controller.signal) };
}

async function until(what: string, look: () => boolean): Promise<void> {
  const endMs = performance.now() + 20_000;
  while (!look()) {
    if (performance.now() > endMs) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const misses = (live = true) =>
  report({ live, network: { ...report({}).network, attached: false } });

test("a gateway that is ready is asked only once the primary misses it, and its VM is told of both", async () => {
  const { poller, answers, asked, told, run } = newPoller();
  run();
  await until("two answers", () => asked.runner > 1);
  expect(asked.gateway).toBe(0);
  expect(poller.attachmentOf("gateway-3")).toEqual({});
  expect(poller.attachmentOf("runner-1")).toEqual({});
  told.length = 0;
  answers.runner = misses();
  answers.gateway = null;
  await until("the gateway's silence", () => poller.attachmentOf("gateway-3").attached === null);
  expect(told.length).toBe(2);
  const before = poller.attachmentOf("runner-1").detachedMs ?? 0;
  await until("time", () => (poller.attachmentOf("runner-1").detachedMs ?? 0) > before);
  answers.runner = report({});
  await until("the end of it", () => poller.attachmentOf("runner-1").detachedMs === undefined);
  await until("no more questions", () => poller.attachmentOf("gateway-3").attached === undefined);
}, 60_000);

test("a gateway that is not ready says itself whether a runner is attached", async () => {
  const { poller, put, answers, asked, run } = newPoller();
  put(gateway(3, { ready: false }));
  answers.gateway = { attached: null };
  run();
  await until("an answer", () => poller.attachmentOf("gateway-3").attached === false);
  answers.gateway = { attached: "me" };
  poller.hasten(vm);
  await until("another answer", () => poller.attachmentOf("gateway-3").attached === true);
  expect(asked.gateway).toBeGreaterThan(1);
}, 60_000);

test("who is hastened while it is being asked is asked again at once, however often", async () => {
  const { poller, answers, asked, run } = newPoller();
  // It would be asked after five seconds.
  answers.runner = report({ role: "backup" });
  let answer = () => {};
  answers.wait = () => new Promise((resolve) => (answer = resolve));
  run();
  for (const count of [1, 2, 3]) {
    await until("the question", () => asked.runner === count);
    poller.hasten(vm);
    const sinceMs = performance.now();
    answer();
    await until("another question", () => asked.runner === count + 1);
    expect(performance.now() - sinceMs).toBeLessThan(4_000);
  }
}, 60_000);

test("who does not answer, and a primary whose guest does not run yet, miss nothing that is known", async () => {
  const { poller, answers, asked, run } = newPoller();
  answers.runner = misses(false);
  run();
  await until("an answer", () => asked.runner > 0);
  expect(poller.attachmentOf("runner-1")).toEqual({});
  answers.runner = misses();
  poller.hasten(vm);
  await until("word of it", () => poller.attachmentOf("runner-1").detachedMs !== undefined);
  answers.runner = null;
  await until("no word", () => poller.attachmentOf("runner-1").detachedMs === undefined);
}, 60_000);

test("what another runner says at the address of one that is gone counts for nothing", async () => {
  const { poller, answers, asked, run } = newPoller();
  answers.runner = report({ nonce: nonce(2) });
  run();
  await until("two answers", () => asked.runner > 1);
  expect(poller.reportOf("runner-1")).toBeNull();
  answers.runner = report({});
  await until("its own answer", () => poller.reportOf("runner-1") !== null);
});
