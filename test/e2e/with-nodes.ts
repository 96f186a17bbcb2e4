/** `describe` for what needs real nodes. */
import { describe } from "@jest/globals";
import { whyNoCluster } from "../cluster/why-no-cluster.ts";

const whyNot = await whyNoCluster("nodes", 3);

/** Behind the name of what is skipped: the reason. */
export const unlessSkipped = whyNot === null ? "" : ` (skipped: ${whyNot})`;
export const describeWithNodes = whyNot === null ? describe : describe.skip;
