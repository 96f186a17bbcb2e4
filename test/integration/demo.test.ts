/** `lockstep demo`: the first thing that anybody runs. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { DemoReport } from "../../src/cli/demo/demo-report.ts";
import { longMs, Sandbox, withoutGvproxy } from "./embedded-pair.ts";
import { testWithNetwork, unlessSkipped } from "./guest-network.ts";

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.close(), longMs);

const tiny = ["demo", "--guest", "tiny", "--memory", "16", "--kills", "1"];

testWithNetwork(
  `a TCP client of the guest keeps its connection when the primary is killed, and gets every line${unlessSkipped}`,
  async () => {
    const { code, out, err } = await sandbox.run("demo", "--kills", "1", "--json");
    const report: DemoReport = JSON.parse(out);
    expect(report).toMatchObject({ ok: true, transport: "tcp", resets: 0 });
    expect(report).toMatchObject({ missing: 0, repeated: 0, wrong: 0 });
    expect(report.numbers).toBeGreaterThan(report.kills[0]?.number ?? Number.POSITIVE_INFINITY);
    expect(err).toMatch(/the guest is ready .TCP port 7000./);
    expect(err).toMatch(/numbers over one TCP connection: 0 missing, .* 0 resets/);
    expect(code).toBe(0);
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);

test(
  "without gvproxy the numbers come on the guest's console, and the demo says why",
  async () => {
    const demo = sandbox.startWith(withoutGvproxy(sandbox), "demo", "--kills", "1", "--json");
    const { code, out, err } = await demo.finished;
    const report: DemoReport = JSON.parse(out);
    expect(report).toMatchObject({ ok: true, transport: "console", missing: 0, repeated: 0 });
    expect(err).toMatch(/the numbers come on the guest's console, not over TCP: .*gvproxy/);
    expect(code).toBe(0);
  },
  longMs,
);

test(
  "with the tiny guest it kills the primary, loses no number, and leaves nothing",
  async () => {
    const { code, out, err } = await sandbox.run(...tiny, "--json");
    const report: DemoReport = JSON.parse(out);
    expect(report).toMatchObject({ ok: true, transport: "console", missing: 0, repeated: 0 });
    expect(report.kills).toHaveLength(1);
    expect(report.kills[0]?.gapMs).toBeGreaterThan(0);
    expect(report.kills[0]?.redundantAfterMs).toBeGreaterThan(0);
    expect(err).toMatch(/KILL 1: SIGKILL to the primary/);
    expect(code).toBe(0);
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);

test(
  "a demo that is interrupted leaves nothing",
  async () => {
    const demo = sandbox.start(...tiny);
    await demo.says(/is the primary/);
    demo.child.kill("SIGINT");
    expect((await demo.finished).code).not.toBe(0);
    expect(sandbox.survivors()).toEqual([]);
  },
  longMs,
);
