import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";

const ours = fileURLToPath(new URL("./garbage-collection.ts", import.meta.url));

/** Lets many buffers die, a few at a time; prints how often everything was collected for it. */
function program(first: string): string {
  return `
    import { PerformanceObserver, constants } from "node:perf_hooks";
    import { collectBuffersWithObjects } from ${JSON.stringify(ours)};
    ${first}
    // A process that lives for a while has something to look through.
    const kept = Array.from({ length: 300_000 }, (_, i) => ({ i, own: [i] }));
    let whole = 0;
    const observer = new PerformanceObserver((list) => {
      for (const { detail } of list.getEntries()) {
        if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) whole++;
      }
    });
    observer.observe({ entryTypes: ["gc"] });
    const waiting = [];
    for (let turn = 0; turn < 1_000; turn++) {
      for (let i = 0; i < 10; i++) waiting.push(Buffer.allocUnsafeSlow(65_536));
      while (waiting.length > 20) waiting.shift();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    process.stdout.write(\`\${kept.length > 0 ? whole : 0}\`);
  `;
}

function wholeCollections(first: string): number {
  const args = ["--no-warnings", "--input-type=module", "--eval", program(first)];
  return Number(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

test("dead buffers do not make V8 collect everything again and again", () => {
  const before = wholeCollections("");
  expect(before).toBeGreaterThan(2);
  expect(wholeCollections("collectBuffersWithObjects();")).toBeLessThan(before / 2);
});

test("what a thread has let go of is gone when it says so", () => {
  const program = `
    import { fullCollector } from ${JSON.stringify(ours)};
    const collect = fullCollector();
    let memory = new Uint8Array(2 ** 26);
    const before = process.memoryUsage().arrayBuffers;
    memory = null;
    collect();
    process.stdout.write(JSON.stringify([before, process.memoryUsage().arrayBuffers]));
  `;
  const args = ["--no-warnings", "--input-type=module", "--eval", program];
  const [before, after] = JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
  expect(before).toBeGreaterThan(2 ** 26);
  expect(after).toBeLessThan(2 ** 20);
});
