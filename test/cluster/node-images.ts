/**
 * The images of a cluster's nodes. Their tars are in one directory that every node sees; a node imports
 * from there what it has not got yet, when it boots and when it is told to.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, link, rename, rm } from "node:fs/promises";
import path from "node:path";
import { ClusterError, codeOf } from "./cluster-error.ts";
import type { Layout } from "./layout.ts";
import { firstProcess, insideNode } from "./node.ts";
import type { ClusterRecord } from "./record.ts";
import { run } from "./run-program.ts";

const importTimeoutMs = 180_000;
const bootScriptInNode = "/opt/lockstep/cluster/boot-node.sh";

/** A file of an image, and the name it gets in the cluster's directory. */
export interface ImageFile {
  readonly name: string;
  readonly file: string;
}

/** Every node that runs has the images of this tar when it resolves; the others will. @throws ClusterError */
export async function loadImage(
  record: ClusterRecord,
  layout: Layout,
  file: string,
): Promise<void> {
  const name = `loaded-${(await digestOf(file)).slice(0, 16)}`;
  const command = ["bash", bootScriptInNode, "import_images", name];
  const running = layout.nodes.flatMap((node) => firstProcess(record, node) ?? []);
  // Asked of all of them before anything is done: a node that is frozen refuses.
  const imports = running.map((first) => insideNode(first, command));
  await copyImage(layout, name, file);
  const [first, ...others] = imports;
  try {
    // One first: a file that is no image is not left where the other nodes would find it.
    if (first !== undefined) await run(...first, { timeoutMs: importTimeoutMs });
  } catch (error) {
    await rm(tarOf(layout, name), { force: true });
    const words = error instanceof Error ? error.message : String(error);
    throw new ClusterError(`${file} cannot be imported; give the tar of an OCI image (${words})`);
  }
  await Promise.all(others.map((other) => run(...other, { timeoutMs: importTimeoutMs })));
}

/** One of the cache: a second name for its file is enough. */
export async function giveImage(layout: Layout, { name, file }: ImageFile): Promise<void> {
  const target = tarOf(layout, name);
  try {
    await link(file, target);
  } catch (error) {
    // Another file system has no second names for its files here.
    if (codeOf(error) !== "EXDEV") throw error;
    await copyFile(file, target);
  }
}

/** A node that boots meanwhile sees all of the file, or nothing. */
async function copyImage(layout: Layout, name: string, file: string): Promise<void> {
  const target = tarOf(layout, name);
  await copyFile(file, `${target}.new`);
  await rename(`${target}.new`, target);
}

function tarOf(layout: Layout, name: string): string {
  return path.join(layout.images, `${name}.tar`);
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk);
  } catch (error) {
    throw new ClusterError(`the image ${file} cannot be read: ${String(error)}`);
  }
  return hash.digest("hex");
}
