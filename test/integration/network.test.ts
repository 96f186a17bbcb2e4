/**
 * The guest's network under failovers, with real servers in the guest and real client programs
 * outside: a short version of the proof, one pair for all clients (docs/testing.md).
 */
import { spawn } from "node:child_process";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { whyMissing } from "../proof/client-programs.ts";
import { clientNames } from "../proof/real-client.ts";
import type { ProofReport } from "../proof/report.ts";
import { Sandbox, Started } from "./embedded-pair.ts";
import { describeWithNetwork, unlessSkipped } from "./guest-network.ts";

const program = path.resolve("test/proof/main.ts");
const failures = ["--kills", "1", "--freezes", "1"];
/** Building the guest and booting it come first where nobody did that before. */
const proofMs = 900_000;
/** A failover takes well below a second; a computer that is busy with tests takes longer. */
const gapMsMax = 20_000;

const present = clientNames.filter((client) => whyMissing(client) === null);
const inOrder = present.length > 0 ? describeWithNetwork : describe.skip;

inOrder(`over a kill and a freeze of the primary${unlessSkipped}`, () => {
  let sandbox: Sandbox;
  let report: ProofReport;

  beforeAll(async () => {
    sandbox = new Sandbox();
    const child = spawn(
      process.execPath,
      ["--no-warnings", program, "all", ...failures, "--json"],
      {
        env: { ...process.env, XDG_RUNTIME_DIR: sandbox.directory },
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    const { code, out, err } = await new Started(child).finished;
    if (out === "") throw new Error(`the proof ended with code ${code}: ${err}`);
    report = JSON.parse(out);
  }, proofMs);
  afterAll(() => sandbox.close(), proofMs);

  test("the proof comes to its end, and leaves nothing that runs", () => {
    expect(report).toMatchObject({ ended: null, ok: true });
    expect(report.clients.map(({ client }) => client)).toEqual(present);
    expect(sandbox.survivors()).toEqual([]);
  });

  describe.each(clientNames)("%s", (client) => {
    const run = present.includes(client) ? test : test.skip;

    run("a real client is not reset, and no byte and no acknowledged write is lost", () => {
      const own = report.clients.find((each) => each.client === client);
      expect(own).toMatchObject({ resets: 0, wrongBytes: 0, lostWrites: 0, troubles: [] });
      for (const gap of [own?.gaps.killed, own?.gaps.frozen]) {
        expect(gap).toMatchObject({ n: 1 });
        expect(gap?.max).toBeGreaterThan(0);
        expect(gap?.max).toBeLessThan(gapMsMax);
      }
    });
  });
});
