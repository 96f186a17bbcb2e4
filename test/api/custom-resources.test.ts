/** What a real API server does with a resource like the operator's. */
import { beforeAll, expect, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import type { Answer } from "./api-client.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import { definition, definitions, machine, machines } from "./made-up-resource.ts";

describeWithApi(`a custom resource${unlessSkipped}`, () => {
  const api = withApi("resources");
  const make = async (name: string, fields: object = {}, metadata: object = {}) => {
    const answer = await api().admin.create(machines, machine(name, fields, metadata));
    const { status, message, body } = answer;
    expect([status, message]).toEqual([201, ""]);
    return body;
  };

  beforeAll(async () => {
    const { status, message } = await api().admin.create(definitions, definition);
    expect([status, message]).toEqual([201, ""]);
    await until("the resource to be served", async () => {
      const { status } = await api().admin.get(machines);
      return status === 200 ? true : null;
    });
  }, 60_000);

  test("gets its defaults, and loses fields that its schema does not know", async () => {
    const made = await make("plain", { colour: "red" });
    expect(made["spec"]).toEqual({ image: "counter", memoryMiB: 128, failover: "Automatic" });
  });

  test.each<[string, object, string]>([
    ["has no image", { image: undefined }, "spec.image: Required value"],
    ["has too little memory", { memoryMiB: 8 }, "should be greater than or equal to 16"],
    ["has a word for a number", { memoryMiB: "many" }, 'must be of type integer: "string"'],
    ["has an unknown word", { failover: "Never" }, 'supported values: "Automatic", "Manual"'],
    [
      "breaks a rule over two fields",
      { diskMiB: 64 },
      "spec.diskMiB: Invalid value: a disk must be able to hold the memory",
    ],
    [
      "has one port twice",
      { ports: [1, 2].map((port) => ({ name: "http", port })) },
      "spec.ports[1]: Duplicate value",
    ],
  ])("that %s is refused with a sentence", async (_, fields, sentence) => {
    const { status, message } = await api().admin.create(machines, machine("bad", fields));
    expect(message).toContain(sentence);
    expect(status).toBe(422);
  });

  test("with an unknown field is refused when strictness is asked for", async () => {
    const at = `${machines}?fieldValidation=Strict`;
    const { status, message } = await api().admin.create(at, machine("bad", { colour: "red" }));
    expect([status, message]).toEqual([
      400,
      expect.stringContaining('unknown field "spec.colour"'),
    ]);
  });

  test("keeps a field that must not change, and changes others", async () => {
    await make("fixed");
    const at = `${machines}/fixed`;
    const changed = await api().admin.merge(at, { spec: { image: "other" } });
    expect(changed.status).toBe(422);
    expect(changed.message).toContain(`spec.image: Invalid value: "other": the image is immutable`);
    expect(await api().admin.merge(at, { spec: { memoryMiB: 256 } })).toMatchObject({
      status: 200,
    });
  });

  test("keeps status and spec apart, and counts generations of the spec alone", async () => {
    await make("split");
    const at = `${machines}/split`;
    const both = { spec: { memoryMiB: 512 }, status: { phase: "Protected", epoch: 7 } };
    const viaStatus = await api().admin.merge(`${at}/status`, both);
    expect(viaStatus.body).toMatchObject({ spec: { memoryMiB: 128 }, status: both.status });
    expect(viaStatus.body.metadata["generation"]).toBe(1);
    const viaSpec = await api().admin.merge(at, { ...both, status: { epoch: 8 } });
    expect(viaSpec.body).toMatchObject({ spec: { memoryMiB: 512 }, status: both.status });
    expect(viaSpec.body.metadata["generation"]).toBe(2);
    const back = await api().admin.merge(`${at}/status`, { status: { epoch: 6 } });
    expect([back.status, back.message]).toEqual([
      422,
      expect.stringContaining("status.epoch: Invalid value: 6: an epoch never goes back"),
    ]);
    const columns = await api().kubectl.run(["get", "ftvm", "split"]);
    expect(columns.replace(/ +/g, " ")).toBe("NAME PHASE EPOCH MEMORY\nsplit Protected 7 512\n");
  });

  test("of ten who replace the same version of it, exactly one succeeds", async () => {
    const made = await make("raced");
    const writers = Array.from({ length: 10 }, (_, i) => {
      const spec = { image: "counter", memoryMiB: 100 + i };
      return api().admin.replace(`${machines}/raced`, { ...made, spec });
    });
    const answers = await Promise.all(writers);
    expect(statuses(answers)).toEqual([200, ...Array(9).fill(409)]);
    const loser = answers.find(({ status }) => status === 409);
    expect(loser?.message).toContain("the object has been modified");
    const winner = answers.find(({ status }) => status === 200);
    const now = await api().admin.get(`${machines}/raced`);
    expect(now.body["spec"]).toEqual(winner?.body["spec"]);
  });

  test("two who apply fields of it disagree only about what both set", async () => {
    const at = `${machines}/shared`;
    const user = await api().admin.applyAs("user", at, machine("shared", { memoryMiB: 64 }));
    expect(user.status).toBe(201);
    const port = { ports: [{ name: "http", port: 80 }] };
    const mine = machine("shared", port);
    const operator = await api().admin.applyAs("operator", at, mine);
    expect(operator.body["spec"]).toMatchObject({ memoryMiB: 64, ...port });

    const more = machine("shared", { ...port, memoryMiB: 96 });
    const refused = await api().admin.applyAs("operator", at, more);
    expect([refused.status, refused.message]).toEqual([
      409,
      expect.stringContaining('conflict with "user": .spec.memoryMiB'),
    ]);
    const forced = await api().admin.applyAs("operator", at, more, "&force=true");
    expect(forced.body["spec"]).toMatchObject({ memoryMiB: 96 });
    // What a manager does not apply any more, and no other has, goes: here, back to the default.
    const less = await api().admin.applyAs("operator", at, machine("shared"));
    expect(less.body["spec"]).toEqual({ image: "counter", memoryMiB: 128, failover: "Automatic" });
  });

  test("a watch tells every change once and in order, also one that takes up where another ended", async () => {
    const made = await make("watched");
    const at = `${machines}/watched`;
    const about = `${machines}?watch=true&fieldSelector=metadata.name%3Dwatched&resourceVersion=`;
    for (const memoryMiB of [200, 300]) await api().admin.merge(at, { spec: { memoryMiB } });
    const first = await api().admin.watch(
      `${about}${made.metadata.resourceVersion}`,
      (events) => events.length >= 1,
    );
    expect(first[0]).toMatchObject({ type: "MODIFIED", object: { spec: { memoryMiB: 200 } } });
    await api().admin.delete(at);
    const second = await api().admin.watch(
      `${about}${first[0]?.object.metadata.resourceVersion}`,
      (events) => events.some(({ type }) => type === "DELETED"),
    );
    expect(second).toMatchObject([
      { type: "MODIFIED", object: { spec: { memoryMiB: 300 } } },
      { type: "DELETED", object: { metadata: { uid: made.metadata.uid } } },
    ]);
  });

  test("a watch that begins with what is there says with a bookmark when that is all", async () => {
    for (const name of ["marked1", "marked2"])
      await make(name, {}, { labels: { in: "bookmarks" } });
    const query = "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
    const events = await api().admin.watch(
      `${machines}?${query}&allowWatchBookmarks=true&labelSelector=in%3Dbookmarks`,
      (found) => found.some(({ type }) => type === "BOOKMARK"),
    );
    expect(events.map(({ type }) => type)).toEqual(["ADDED", "ADDED", "BOOKMARK"]);
    expect(events[2]?.object.metadata["annotations"]).toEqual({
      "k8s.io/initial-events-end": "true",
    });
    expect(Number(events[2]?.object.metadata.resourceVersion)).toBeGreaterThan(0);
  });

  test("a version that never was is refused, so that whoever asks for it lists anew", async () => {
    const list = await api().admin.get(`${machines}?resourceVersion=999999999&timeoutSeconds=1`);
    expect([list.status, list.message]).toEqual([
      504,
      expect.stringContaining("Too large resource version"),
    ]);
  });

  test("with a finalizer it stays, marked as deleted, until the last finalizer is gone", async () => {
    const finalizers = ["lockstep.example.com/pair"];
    await make("finalized", {}, { finalizers });
    const at = `${machines}/finalized`;
    const deleted = await api().admin.delete(at);
    expect(deleted.body.metadata["deletionTimestamp"]).toEqual(expect.any(String));
    const late = await api().admin.merge(at, { metadata: { finalizers: ["example.com/late"] } });
    expect([late.status, late.message]).toEqual([
      422,
      expect.stringContaining("no new finalizers can be added if the object is being deleted"),
    ]);
    await api().admin.merge(at, { metadata: { finalizers: [] } });
    expect(await api().admin.get(at)).toMatchObject({ status: 404 });
  });

  test("what it owns says so; at this level nobody collects it", async () => {
    const { metadata, kind } = await make("owner");
    const owner = { apiVersion: "lockstep.example.com/v1", kind, name: "owner", uid: metadata.uid };
    const ownerReferences = [{ ...owner, controller: true, blockOwnerDeletion: true }];
    const config = { metadata: { name: "owned", ownerReferences } };
    const configMaps = "/api/v1/namespaces/default/configmaps";
    expect(await api().admin.create(configMaps, config)).toMatchObject({ status: 201 });
    const two = {
      metadata: { ownerReferences: [...ownerReferences, { ...owner, uid: "2", controller: true }] },
    };
    const refused = await api().admin.merge(`${configMaps}/owned`, two);
    expect([refused.status, refused.message]).toEqual([
      422,
      expect.stringContaining("Only one reference can have Controller set to true"),
    ]);
    await api().admin.delete(`${machines}/owner`);
    expect(await api().admin.get(`${configMaps}/owned`)).toMatchObject({ status: 200 });
  });
});

function statuses(answers: readonly Answer[]): number[] {
  return answers.map(({ status }) => status).sort((a, b) => a - b);
}
