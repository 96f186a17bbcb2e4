/**
 * The container images of the test cluster, as OCI layouts in tars that containerd imports: made
 * here from Debian's packages and built programs, without a registry and without a container
 * engine, and made anew only when their inputs changed.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, statfs } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../../src/platform/cache-directory.ts";
import { ClusterError } from "../cluster-error.ts";
import { cachedImage } from "./image-cache.ts";
import { machineArchitecture, measureFile, packImage } from "./pack-image.ts";
import { whyNoImages } from "./required-programs.ts";
import { type Fill, fillClient, fillKubeRouter, fillPause, fillProgram } from "./small-images.ts";

export type ImageName =
  | "pause"
  | "client"
  | "coredns"
  | "local-path-provisioner"
  | "kube-router"
  | "base"
  | "lockstep";

export interface Image {
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
  "local-path-provisioner": "localhost/local-path-provisioner:1",
  "kube-router": "localhost/kube-router:1",
  base: "localhost/lockstep-base:24",
  lockstep: "localhost/lockstep:1",
};

const recipes = path.dirname(fileURLToPath(import.meta.url));
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
      return await filledImage(name, fillPause, [], options);
    case "client":
      return await filledImage(name, fillClient, [], options);
    case "coredns":
    case "local-path-provisioner": {
      const program = options.binaries(name);
      return await filledImage(name, fillProgram(name, program), [program], options);
    }
    case "kube-router": {
      const program = options.binaries(name);
      return await filledImage(name, fillKubeRouter(program), [program], options);
    }
    case "base":
    case "lockstep":
      throw new ClusterError(`there is no recipe for ${name} yet`);
  }
}

/** An image of one layer; `inputs` are the files that it is made of, next to Debian's packages. */
async function filledImage(
  name: ImageName,
  fill: Fill,
  inputs: readonly string[],
  { say }: PrepareOptions,
): Promise<string> {
  const key = await imageKey(inputs);
  return await cachedImage(name, key, async (file, work) => {
    await requireMachine();
    say(`making the container image ${imageReferences[name]}`);
    const root = path.join(work, "root");
    const config = await fill(root);
    await packImage({ reference: imageReferences[name], config, layers: [root], work }, file);
  });
}

/** Everything that determines an image but the day on which its packages were fetched. */
async function imageKey(inputs: readonly string[]): Promise<string> {
  const sources = (await readdir(recipes)).filter((name) => /(?<!\.test)\.ts$/.test(name)).sort();
  const hash = createHash("sha256").update(machineArchitecture());
  for (const file of [...sources.map((name) => path.join(recipes, name)), ...inputs]) {
    hash.update(`\0${path.basename(file)}\0`);
    if (file.endsWith(".ts")) hash.update(await readFile(file));
    else hash.update((await measureFile(file)).sha256);
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
