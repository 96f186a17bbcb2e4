import { expect, test } from "@jest/globals";
import { pino } from "pino";
import { until } from "../../../bench/waiting.ts";
import { OperatorMetrics } from "../metrics/operator-metrics.ts";
import { Workers } from "./workers.ts";

function newWorkers(): { workers: Workers; looked: string[] } {
  const looked: string[] = [];
  const reconcile = async (key: string) => {
    looked.push(key);
    return null;
  };
  const log = pino({ level: "silent" });
  return {
    workers: new Workers({ count: 2, reconcile, metrics: new OperatorMetrics(), log }),
    looked,
  };
}

test("who begins to lead looks at all that there is then, and not at what was", async () => {
  const { workers, looked } = newWorkers();
  workers.add("a/gone");
  workers.add("a/web");
  workers.start(new Set(["a/web", "b/web"]));
  workers.add("c/new");
  await until("three looks", () => (looked.length >= 3 ? true : null));
  await workers.stop();
  expect(looked.sort()).toEqual(["a/web", "b/web", "c/new"]);
});
