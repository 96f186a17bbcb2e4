import { afterEach, beforeEach, expect, jest } from "@jest/globals";
import { pino } from "pino";
import { until } from "../../../bench/waiting.ts";
import { ScriptedApi, testWithTls } from "../../../test/operator/scripted-api.ts";
import { OperatorMetrics } from "../metrics/operator-metrics.ts";
import type { RawObject } from "./kubernetes-api.ts";
import { ObjectCache } from "./object-cache.ts";
import { type KeptObject, objectEntry } from "./observed.ts";
import { ResourceWatch } from "./resource-watch.ts";

jest.setTimeout(60_000);
let server: ScriptedApi;
let stop: AbortController;

beforeEach(async () => {
  server = await ScriptedApi.start();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await server.close();
});

function newWatch(): ResourceWatch<RawObject, KeptObject> {
  return new ResourceWatch({
    ...{ api: server.api, metrics: new OperatorMetrics().watches, random: () => 0 },
    ...{ name: "roles", resource: "roles", path: "/roles", namespace: null, labelSelector: null },
    ...{ metadataOnly: true, entryOf: objectEntry, cache: new ObjectCache<KeptObject>(() => {}) },
    log: pino({ level: "silent" }),
  });
}

/** The server lists at version 7; the first watch is answered so, and every other one waits. */
function answerFirstWatch(status: number, body: string): void {
  let watches = 0;
  server.answer = ({ searchParams }, response) => {
    if (!searchParams.has("watch")) {
      response.end(JSON.stringify({ metadata: { resourceVersion: "7" }, items: null }));
    } else if (watches++ === 0) response.writeHead(status).end(body);
    else response.flushHeaders();
  };
}

/** What was asked until the second watch: lists, and watches with the version they go on from. */
async function askedUntilSecondWatch(): Promise<string[]> {
  const asked = () =>
    server.asked.map(({ searchParams: of }) =>
      of.has("watch") ? `watch ${of.get("resourceVersion")}` : "list",
    );
  const running = newWatch().run(stop.signal);
  await until("two watches", () => (asked().filter((what) => what !== "list")[1] ? true : null));
  stop.abort();
  await running;
  return asked();
}

testWithTls.each([401, 429, 500, 503, 504])(
  "a server that answers a watch with %d is not asked for a list on top",
  async (status) => {
    answerFirstWatch(status, "");
    expect(await askedUntilSecondWatch()).toEqual(["list", "watch 7", "watch 7"]);
  },
);

testWithTls.each([400, 403, 410])(
  "what a watch was answered with %d for is listed anew",
  async (status) => {
    answerFirstWatch(status, "");
    expect(await askedUntilSecondWatch()).toEqual(["list", "watch 7", "list", "watch 7"]);
  },
);

testWithTls("a kind is listed and watched over one connection", async () => {
  answerFirstWatch(410, "");
  await askedUntilSecondWatch();
  expect(server.connections).toBe(1);
});

testWithTls.each([
  ["something that is no event", "<html>"],
  ["an event of nothing", '{"type":"ADDED"}'],
  ["an error", '{"type":"ERROR","object":{"code":500,"message":"lost"}}'],
  ["the word that the version is too old", '{"type":"ERROR","object":{"code":410}}'],
])("a watch that says %s is listed anew", async (_, line) => {
  answerFirstWatch(200, `${line}\n`);
  expect(await askedUntilSecondWatch()).toEqual(["list", "watch 7", "list", "watch 7"]);
});

testWithTls("a list that gets no answer is given up when nobody wants it any more", async () => {
  const running = newWatch().run(stop.signal);
  await until("the list", () => (server.asked.length > 0 ? true : null));
  stop.abort();
  await running;
});
