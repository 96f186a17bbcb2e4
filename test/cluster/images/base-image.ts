/**
 * A small Debian 13 with the project's own Node and the programs that Lockstep calls: what the
 * image of Lockstep itself is built on.
 */
import { copyFile, mkdir } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { installPackages } from "./debian-packages.ts";
import { makeReadable } from "./pack-image.ts";
import type { Fill } from "./small-images.ts";

const node = fileURLToPath(
  new URL(`../../../node_modules/node-linux-${process.arch}/`, import.meta.url),
);

/** It names Node's version: as an input it stands for the program, which is large. */
export const nodeDescription = path.join(node, "package.json");

const packages = ["ca-certificates", "catatonit", "gvproxy", "libstdc++6"];

export const fillBase: Fill = async (root) => {
  await installPackages("essential", packages, root);
  const programs = path.join(root, "usr/local/bin");
  const papers = path.join(root, "usr/local/share/doc/node");
  await mkdir(programs, { recursive: true });
  await mkdir(papers, { recursive: true });
  await copyFile(path.join(node, "bin/node"), path.join(programs, "node"));
  await copyFile(path.join(node, "LICENSE"), path.join(papers, "LICENSE"));
  await makeReadable(path.join(root, "usr/local"));
  return { command: ["node"] };
};
