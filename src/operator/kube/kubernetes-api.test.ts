import { afterEach, beforeEach, expect, jest } from "@jest/globals";
import { until } from "../../../bench/waiting.ts";
import { ScriptedApi, testWithTls } from "../../../test/operator/scripted-api.ts";
import type { KubernetesApi } from "./kubernetes-api.ts";

jest.setTimeout(60_000);
/** More than there are connections for requests. */
const many = 140;
const timeoutMs = 60_000;
let server: ScriptedApi;
let stop: AbortController;
let waiting: Promise<unknown>[];

beforeEach(async () => {
  server = await ScriptedApi.start();
  server.answer = ({ pathname }, response) => {
    if (pathname !== "/waits") response.end("{}");
  };
  stop = new AbortController();
  waiting = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(waiting);
  await server.close();
});

const ask = (api: KubernetesApi, path: string) =>
  api.send({ method: "GET", path, timeoutMs, signal: stop.signal });
const watch = (path: string, onLine: (line: string) => void = () => {}) => {
  const query = { watch: "true" };
  const onOpen = () => {};
  return server.api.stream({ path, query, timeoutMs, signal: stop.signal, onOpen, onLine });
};
const ends = (promise: Promise<unknown>) => waiting.push(promise.catch(() => {}));
const areAsked = (count: number) =>
  until(`${count} requests`, () => (server.asked.length >= count ? true : null));

testWithTls("requests wait for no watch, however many there are", async () => {
  for (let i = 0; i < many; i++) ends(watch("/waits"));
  await areAsked(many);
  expect(await ask(server.api, "/answers")).toEqual({});
});

testWithTls("what does not pass the gate does not wait for what does", async () => {
  const gated = server.api.gated(() => true);
  for (let i = 0; i < many; i++) ends(ask(gated, "/waits"));
  await areAsked(100);
  expect(await ask(server.api, "/answers")).toEqual({});
});

testWithTls("a request ends with its signal", async () => {
  const asked = ask(server.api, "/waits");
  await areAsked(1);
  stop.abort();
  await expect(asked).rejects.toMatchObject({ code: "unavailable", status: 0 });
});

testWithTls(
  "a watch ends with what the taking of a line throws, and no line comes after it",
  async () => {
    server.answer = (_, response) => void response.write("one\nbad\nthree\n");
    const lines: string[] = [];
    const watched = watch("/lines", (line) => {
      lines.push(line);
      if (line === "bad") throw new RangeError("no such line");
    });
    await expect(watched).rejects.toThrow("no such line");
    expect(lines).toEqual(["one", "bad"]);
  },
);
