/** Whether the tests of the guest's network can run here. */
import { spawnSync } from "node:child_process";
import { describe, test } from "@jest/globals";
import { prepareNetwork } from "../../src/cli/prepare-network.ts";

/** gvproxy is built if need be, before the first test: that takes half a minute, once. */
const network = await prepareNetwork({ mayBuild: true, onProgress: () => {} });

// On CI a build that fails is a failure, and nothing to skip over.
const hasGo = spawnSync("go", ["version"]).status === 0;
if (network.kind === "none" && hasGo && process.env["CI"] === "true") throw new Error(network.why);

const isThere = network.kind === "there";
/** Behind the name of what is skipped: the reason. */
export const unlessSkipped = isThere ? "" : ` (skipped: ${network.why})`;
export const describeWithNetwork = isThere ? describe : describe.skip;
export const testWithNetwork = isThere ? test : test.skip;
