import { beforeEach, expect, test } from "@jest/globals";
import { Registry } from "prom-client";
import { addProcessMetrics, ReadMetrics } from "./metrics.ts";

let registry: Registry;
let metrics: ReadMetrics;
beforeEach(() => {
  registry = new Registry();
  metrics = new ReadMetrics(registry, "test_");
});

/** What Prometheus reads, without the descriptions. */
async function samples(): Promise<string[]> {
  const text = await registry.metrics();
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

test("each reading is of its moment, and one that has nothing to say is absent", async () => {
  let value: number | null = 1;
  metrics.gauge("level", "A level", () => value);
  metrics.counter("things_total", "Things", () => value);
  expect(await samples()).toEqual(["test_level 1", "test_things_total 1"]);
  value = null;
  expect(await samples()).toEqual([]);
  value = 5;
  expect(await samples()).toEqual(["test_level 5", "test_things_total 5"]);
  value = 0;
  expect(await samples()).toEqual(["test_level 0", "test_things_total 0"]);
});

test("a label's value that is not read any more has no series", async () => {
  let values: Record<string, number> = { a: 1, b: 0 };
  metrics.gaugeBy("kind", "level", "A level", () => values);
  metrics.counterBy("kind", "things_total", "Things", () => values);
  expect(await samples()).toEqual([
    'test_level{kind="a"} 1',
    'test_level{kind="b"} 0',
    'test_things_total{kind="a"} 1',
    'test_things_total{kind="b"} 0',
  ]);
  values = { b: 2 };
  expect(await samples()).toEqual(['test_level{kind="b"} 2', 'test_things_total{kind="b"} 2']);
});

test("a process tells its time, its memory and when it began, in seconds and bytes", async () => {
  addProcessMetrics(registry);
  const read = new Map((await samples()).map((line) => line.split(" ") as [string, string]));
  expect([...read.keys()]).toEqual([
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
  ]);
  expect(Number(read.get("process_cpu_seconds_total"))).toBeGreaterThan(0);
  expect(Number(read.get("process_resident_memory_bytes"))).toBeGreaterThan(10 * 1024 ** 2);
  const ageSeconds = Date.now() / 1_000 - Number(read.get("process_start_time_seconds"));
  expect(ageSeconds).toBeGreaterThan(0);
  expect(ageSeconds).toBeLessThan(24 * 3_600);
});
