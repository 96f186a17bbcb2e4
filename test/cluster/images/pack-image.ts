/**
 * Packs directories into an image: each becomes a layer, all of it one tar that containerd imports.
 * The result depends on the files' names, contents and modes only: it is sorted, everything belongs
 * to root and is as old as the epoch.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { ClusterError } from "../cluster-error.ts";
import { run } from "../run-program.ts";
import {
  type Architecture,
  type Blob,
  type ImageConfig,
  imageDocuments,
  layoutMarker,
} from "./image-layout.ts";

const tarTimeoutMs = 120_000;

export interface Packing {
  readonly reference: string;
  readonly config: ImageConfig;
  /** Directories, the lowest layer first. */
  readonly layers: readonly string[];
  /** Where there is room; it is removed by whoever made it. */
  readonly work: string;
}

/** Writes the image to `file`. @throws ClusterError */
export async function packImage(packing: Packing, file: string): Promise<void> {
  const { reference, config, work } = packing;
  const layout = path.join(work, "layout");
  const blobs = path.join(layout, "blobs", "sha256");
  await mkdir(blobs, { recursive: true });
  const layers: Blob[] = [];
  for (const directory of packing.layers) {
    const layer = path.join(work, "layer.tar");
    await run("tar", tarArguments(directory, layer, ["."]), { timeoutMs: tarTimeoutMs });
    const blob = await measureFile(layer);
    await rename(layer, path.join(blobs, blob.sha256));
    layers.push(blob);
  }
  const documents = imageDocuments({
    reference,
    architecture: machineArchitecture(),
    config,
    layers,
  });
  for (const { sha256, text } of documents.blobs) await writeFile(path.join(blobs, sha256), text);
  await packLayout(layout, documents.index, file);
}

/** Writes the layout, whose blobs are there, with this index as one tar. @throws ClusterError */
export async function packLayout(layout: string, index: string, file: string): Promise<void> {
  await writeFile(path.join(layout, "index.json"), index);
  await writeFile(path.join(layout, "oci-layout"), layoutMarker);
  const members = ["oci-layout", "index.json", "blobs"];
  await run("tar", tarArguments(layout, file, members), { timeoutMs: tarTimeoutMs });
}

function tarArguments(directory: string, file: string, members: readonly string[]): string[] {
  const ownership = ["--owner=0", "--group=0", "--numeric-owner"];
  const order = ["--sort=name", "--mtime=@0", "--format=gnu"];
  return ["-C", directory, ...ownership, ...order, "-cf", file, ...members];
}

/** For strangers, as which containers run: whoever makes the image may keep new files to themselves. */
export async function makeReadable(directory: string): Promise<void> {
  await run("chmod", ["-R", "go+rX", directory]);
}

export async function measureFile(file: string): Promise<Blob> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return { sha256: hash.digest("hex"), size: (await stat(file)).size };
}

/** @throws ClusterError on a machine for which there are no images. */
export function machineArchitecture(): Architecture {
  switch (process.arch) {
    case "x64":
      return "amd64";
    case "arm64":
      return "arm64";
    default:
      throw new ClusterError(
        `images are made for x64 and arm64; this computer is ${process.arch}: use another one`,
      );
  }
}
