/**
 * The container images of the test cluster, as OCI layouts in tars that containerd imports: made
 * here from Debian's packages and built programs, without a registry and without a container
 * engine, and made anew only when their inputs changed.
 */
import { createHash } from "node:crypto";
import { mkdir, statfs } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../../src/platform/cache-directory.ts";
import { ClusterError } from "../cluster-error.ts";
import { fillBase, nodeDescription } from "./base-image.ts";
import { cachedImage } from "./image-cache.ts";
import { buildLockstepImage, lockstepInputs } from "./lockstep-image.ts";
import { machineArchitecture, measureFile, packImage } from "./pack-image.ts";
import { whyNoImages } from "./required-programs.ts";
import { type Fill, fillClient, fillPause, fillProgram } from "./small-images.ts";

export type ImageName = "pause" | "client" | "coredns" | "base" | "lockstep";

interface Image {
  readonly name: ImageName;
  /** As a pod names it. */
  readonly reference: string;
  /** For `ctr images import`. */
  readonly file: string;
}

export type PreparedImages =
  | { readonly kind: "there"; readonly images: ReadonlyMap<ImageName, Image> }
  | { readonly kind: "missing"; readonly why: string };

export interface PrepareOptions {
  /** The path of a built Go program. */
  readonly binaries: (name: string) => string;
  readonly say: (text: string) => void;
}

export const imageReferences: Readonly<Record<ImageName, string>> = {
  pause: "localhost/pause:1",
  client: "localhost/client:1",
  coredns: "localhost/coredns:1",
  base: "localhost/lockstep-base:24",
  lockstep: "localhost/lockstep:1",
};

/** The sources that say how an image is made, next to those that all have in common. */
const recipes: Readonly<Record<ImageName, string>> = {
  pause: "small-images.ts",
  client: "small-images.ts",
  coredns: "small-images.ts",
  base: "base-image.ts",
  lockstep: "lockstep-image.ts",
};
const allRecipes = ["image-layout.ts", "pack-image.ts"];
const debianRecipes = ["debian-mirror.ts", "debian-packages.ts"];

const sources = path.dirname(fileURLToPath(import.meta.url));
const project = path.join(sources, "../../../");
/** Making the largest one needs that much at once. */
const freeBytesMin = 2.5e9;

/** The images with these names, each made if need be. */
export async function prepareImages(
  names: readonly ImageName[],
  options: PrepareOptions,
): Promise<PreparedImages> {
  try {
    const images = new Map<ImageName, Image>();
    for (const name of new Set(names)) {
      const file = await prepareImage(name, options);
      images.set(name, { name, reference: imageReferences[name], file });
    }
    return { kind: "there", images };
  } catch (error) {
    if (error instanceof ClusterError) return { kind: "missing", why: error.message };
    throw error;
  }
}

async function prepareImage(name: ImageName, options: PrepareOptions): Promise<string> {
  switch (name) {
    case "pause":
      return await filledImage(name, fillPause, debianRecipes, options);
    case "client":
      return await filledImage(name, fillClient, debianRecipes, options);
    case "coredns": {
      const program = options.binaries(name);
      return await filledImage(name, fillProgram(name, program), [program], options);
    }
    case "base":
      return await filledImage(name, fillBase, [...debianRecipes, nodeDescription], options);
    case "lockstep":
      return await lockstepImage(options);
  }
}

/** An image of one layer; `inputs` are the files that it is made of, next to Debian's packages. */
async function filledImage(
  name: ImageName,
  fill: Fill,
  inputs: readonly string[],
  { say }: PrepareOptions,
): Promise<string> {
  const reference = imageReferences[name];
  return await cachedImage(name, await imageKey(name, inputs), async (file, work) => {
    await requireMachine();
    say(`making the container image ${reference}`);
    const root = path.join(work, "root");
    const config = await fill(root);
    await packImage({ reference, config, layers: [root], work }, file);
  });
}

async function lockstepImage(options: PrepareOptions): Promise<string> {
  const reference = imageReferences.lockstep;
  const base = [recipes.base, ...debianRecipes, nodeDescription];
  const key = await imageKey("lockstep", [...base, ...(await lockstepInputs())]);
  return await cachedImage("lockstep", key, async (file, work) => {
    await requireMachine();
    const baseFile = await prepareImage("base", options);
    options.say(`making the container image ${reference}`);
    await buildLockstepImage(reference, baseFile, work, file);
  });
}

/** Everything that determines an image but the day on which its packages were fetched. */
async function imageKey(image: ImageName, inputs: readonly string[]): Promise<string> {
  const hash = createHash("sha256").update(`${machineArchitecture()} ${imageReferences[image]}`);
  for (const input of [...allRecipes, recipes[image], ...inputs]) {
    const file = path.resolve(sources, input);
    const name = file.startsWith(project) ? file.slice(project.length) : path.basename(file);
    const { sha256 } = await measureFile(file);
    hash.update(`\0${name}\0${sha256}`);
  }
  return hash.digest("hex").slice(0, 16);
}

async function requireMachine(): Promise<void> {
  const why = whyNoImages();
  if (why !== null) throw new ClusterError(why);
  const directory = cacheDirectory();
  await mkdir(directory, { recursive: true });
  const { bavail, bsize } = await statfs(directory);
  const freeMiB = Math.floor((bavail * bsize) / 2 ** 20);
  const neededMiB = Math.ceil(freeBytesMin / 2 ** 20);
  if (freeMiB >= neededMiB) return;
  throw new ClusterError(
    `making images needs ${neededMiB} MiB in ${directory}, ${freeMiB} MiB are free; make room or set LOCKSTEP_CACHE`,
  );
}
