/** `lockstep demo`: the first thing that anybody runs. */
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import type { DemoReport } from "../../src/cli/demo/demo-report.ts";
import { longMs, Sandbox } from "./embedded-pair.ts";

let sandbox: Sandbox;
beforeEach(() => {
  sandbox = new Sandbox();
});
afterEach(() => sandbox.close(), longMs);

const tiny = ["demo", "--guest", "tiny", "--memory", "16", "--kills", "1"];

test(
  "the demo kills the primary, loses no number, and leaves nothing",
  async () => {
    const { code, out, err } = await sandbox.run(...tiny, "--json");
    const report: DemoReport = JSON.parse(out);
    expect(report).toMatchObject({ ok: true, missing: 0, repeated: 0 });
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
