/** The controllers look for a node's volumes where the node does. */
import { existsSync } from "node:fs";
import { expect, test } from "@jest/globals";
import { layoutOf } from "../layout.ts";
import { controllersArguments } from "./controllers-arguments.ts";

test("each node's volumes are on its own disk, and the shared ones where all nodes see them", () => {
  const spec = { name: "t", number: 100, level: "nodes", nodeCount: 2, profile: "fast" } as const;
  const [script, json] = controllersArguments("the-id", layoutOf(spec, "/clusters"));
  expect(existsSync(script)).toBe(true);
  const { id, directories } = JSON.parse(json);
  expect(id).toBe("the-id");
  // The node's /var is the directory `var` of its disk.
  expect(directories).toEqual({
    standard: {
      node1: `/clusters/t/nodes/node1${directories.inNodes.standard}`,
      node2: `/clusters/t/nodes/node2${directories.inNodes.standard}`,
    },
    shared: "/clusters/t/shared",
    inNodes: { standard: expect.stringMatching(/^\/var\/.+/), shared: "/var/lib/lockstep-shared" },
  });
});
