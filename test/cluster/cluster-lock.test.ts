/** One at a time changes a cluster, and who wants to end it is heard. */
import { randomUUID } from "node:crypto";
import { expect, test } from "@jest/globals";
import { pause } from "../../bench/waiting.ts";
import { alone } from "./cluster-lock.ts";
import type { ClusterRecord } from "./record.ts";

function recordOf(name: string): ClusterRecord {
  const spec = { name, number: 100, level: "api", nodeCount: 0, profile: "fast" } as const;
  const nothing = { programs: {}, limitsBefore: {}, unplugged: [] };
  return { format: 1, id: randomUUID(), spec, ...nothing };
}

test("of many who change one cluster, one does; another life of its name is another cluster", async () => {
  const [one, next] = [recordOf("one"), recordOf("one")];
  let inside = 0;
  const most: number[] = [];
  const turn = () =>
    alone(one, async () => {
      inside++;
      await pause(5);
      most.push(inside);
      inside--;
    });
  const turns = Array.from({ length: 5 }, turn);
  await alone(one, async () => expect(await alone(next, async () => "both")).toBe("both"));
  await Promise.all(turns);
  expect(most).toEqual([1, 1, 1, 1, 1]);
});

test("who fails gives it back, and the failure is his caller's", async () => {
  const record = recordOf("one");
  const failing = alone(record, () => Promise.reject(new Error("no luck")));
  await expect(failing).rejects.toThrow("no luck");
  expect(await alone(record, async () => "mine")).toBe("mine");
});

test("who wants to end the cluster is heard, and has it when the other one is done", async () => {
  const record = recordOf("one");
  const events: string[] = [];
  let begin = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const up = alone(record, async (endWanted) => {
    begin();
    await new Promise((resolve) => endWanted.addEventListener("abort", resolve));
    events.push(String(endWanted.reason.message));
  });
  await begun;
  await alone(
    record,
    async () => void events.push("ended"),
    () => {},
  );
  await up;
  expect(events).toEqual(["cluster one was ended by another command", "ended"]);
});
