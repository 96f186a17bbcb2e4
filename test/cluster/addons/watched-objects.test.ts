/** What a watch knows is what the API server has, whatever happens to the connection. */
import { expect, test } from "@jest/globals";
import { until } from "../../../bench/waiting.ts";
import { listOf, ScriptedSource } from "./scripted-source.ts";
import { WatchedObjects } from "./watched-objects.ts";

const path = "/api/v1/pods";
const object = (name: string, resourceVersion: string, more = {}) => {
  return { metadata: { name, namespace: "shop", resourceVersion }, ...more };
};

/** Runs until the source has been asked `count` times, and gives the watch and what it reported. */
async function watchUntil(source: ScriptedSource, count: number) {
  const troubles: string[] = [];
  const end = new AbortController();
  let changes = 0;
  const watched = new WatchedObjects(source, path, () => {
    changes += 1;
  });
  const running = watched.run(end.signal, (trouble) => troubles.push(trouble));
  await until("the questions", () => (source.asked.length >= count ? true : null));
  end.abort();
  await running;
  return { names: watched.all.map(({ metadata }) => metadata.name), watched, troubles, changes };
}

test("a watch begins where the list ended, and goes on where the one before ended", async () => {
  const source = new ScriptedSource();
  source.answers.push(listOf("5", [object("a", "3"), object("b", "4")]));
  source.watches.push(
    [
      { type: "ADDED", object: object("c", "6") },
      { type: "DELETED", object: object("a", "7") },
    ],
    [{ type: "BOOKMARK", object: { metadata: { resourceVersion: "20" } } }],
  );
  const { names, troubles, changes } = await watchUntil(source, 4);
  expect(source.asked).toEqual([`GET ${path}`, "WATCH 5", "WATCH 7", "WATCH 20"]);
  expect(names).toEqual(["b", "c"]);
  expect(troubles).toEqual([]);
  expect(changes).toBe(3);
});

test("what changed while the server forgot is learned from a new list", async () => {
  const source = new ScriptedSource();
  source.answers.push(listOf("5", [object("old", "3")]), listOf("90", [object("new", "80")]));
  source.watches.push([{ type: "ERROR", object: { message: "too old resource version" } }]);
  const { names, troubles } = await watchUntil(source, 4);
  expect(source.asked).toEqual([`GET ${path}`, "WATCH 5", `GET ${path}`, "WATCH 90"]);
  expect(names).toEqual(["new"]);
  expect(troubles).toEqual([`${path}: the watch ended: too old resource version`]);
});

test("a server that cannot be reached is asked again, its trouble told once, and nothing is known", async () => {
  const source = new ScriptedSource();
  source.answers.push(new Error("refused"), new Error("refused"), new Error("refused"));
  const { watched, troubles } = await watchUntil(source, 3);
  expect(watched.isListed).toBe(false);
  expect(troubles).toEqual([`${path}: refused`]);
});
