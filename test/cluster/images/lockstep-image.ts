/**
 * The image of Lockstep itself: the project's Dockerfile over a context with what its first stage
 * would make of a checkout (packages, guest and boot are mostly here already). buildah's storage lives as long as one build: to fill it takes
 * seconds, and there are no old layers to look after.
 */
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { ClusterError } from "../cluster-error.ts";
import { attempt, run } from "../run-program.ts";
import { indexOf } from "./image-layout.ts";
import { makeReadable, packLayout } from "./pack-image.ts";
import { lastWords, runAlone } from "./run-alone.ts";

const project = fileURLToPath(new URL("../../../", import.meta.url));
const buildStamp = path.join(project, "dist", ".lockstep-built");
const dockerfile = path.join(project, "Dockerfile");
const packageFiles = ["package.json", "package-lock.json", ".npmrc"];
/** Of the checkout; the page is served from its sources. */
const contextPlaces = ["dist", "guest", "package.json", "src/cli/page"];
const npmTimeoutMs = 300_000;
const guestTimeoutMs = 900_000;
const bootTimeoutMs = 300_000;
const buildTimeoutMs = 300_000;

/** The files that the image follows from. @throws ClusterError when the product is not built. */
export async function lockstepInputs(): Promise<string[]> {
  try {
    await readFile(buildStamp);
  } catch {
    throw new ClusterError("the product is not built: there is no dist/; run: npm run build");
  }
  const folders = ["guest", "src/cli/page"];
  const found = await Promise.all(folders.map((folder) => filesBelow(path.join(project, folder))));
  const single = packageFiles.map((name) => path.join(project, name));
  // The stamp stands for all of dist/.
  return [buildStamp, dockerfile, ...single, ...found.flat()];
}

/** Writes the image to `file`. @throws ClusterError */
export async function buildLockstepImage(
  reference: string,
  baseFile: string,
  work: string,
  file: string,
): Promise<void> {
  const context = path.join(work, "context");
  await stageContext(context, path.join(work, "npm"));
  const layout = await buildWithBuildah(reference, baseFile, context, work);
  const index: unknown = JSON.parse(await readFile(path.join(layout, "index.json"), "utf8"));
  await packLayout(layout, indexOf(reference, onlyManifest(index)), file);
}

async function stageContext(context: string, npm: string): Promise<void> {
  const app = path.join(context, "app");
  for (const place of contextPlaces) {
    await cp(path.join(project, place), path.join(app, place), { recursive: true });
  }
  await installPackages(npm);
  await rename(path.join(npm, "node_modules"), path.join(app, "node_modules"));
  await stageGuest(path.join(context, "cache"));
  await makeReadable(context);
}

/** What the lock file says for production; Node is optional there, and comes from the base. */
async function installPackages(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const name of packageFiles) {
    await cp(path.join(project, name), path.join(directory, name));
  }
  const omitted = ["--omit=dev", "--omit=optional", "--ignore-scripts"];
  const quiet = ["--no-fund", "--no-audit", "--loglevel=error"];
  const command = ["-C", directory, "npm", "ci", ...omitted, ...quiet];
  const ended = await attempt("env", command, { timeoutMs: npmTimeoutMs });
  if (ended.code !== 0) {
    throw new ClusterError(`npm cannot install the product's packages: ${lastWords(ended)}`);
  }
  // For debuggers; two thirds of what they belong to.
  const maps = ["-name", "*.map", "-type", "f", "-delete"];
  await run("find", [path.join(directory, "node_modules"), ...maps]);
}

/** The default guest and its kept boot, where a runner looks for them in a cache. */
async function stageGuest(cache: string): Promise<void> {
  const script = path.join(project, "guest", "build.sh");
  const printed = await run("bash", [script, "default"], { timeoutMs: guestTimeoutMs });
  const guest = printed.trim().split("\n").at(-1) ?? "";
  await cp(guest, path.join(cache, "guest", path.basename(guest)), { recursive: true });
  const command = [path.join(project, "dist", "cli", "main.js"), "prepare", "--guest", "default"];
  const prepared = await run(process.execPath, command, { timeoutMs: bootTimeoutMs });
  const boot = snapshotOf(prepared);
  await mkdir(path.join(cache, "boot"));
  await cp(boot, path.join(cache, "boot", path.basename(boot)));
}

/** What `lockstep prepare` says. @throws ClusterError */
export function snapshotOf(printed: string): string {
  const said: unknown = printed.startsWith("{") ? JSON.parse(printed) : null;
  const file = typeof said === "object" && said !== null && "snapshot" in said && said.snapshot;
  if (typeof file === "string") return file;
  throw new ClusterError(`the guest's boot was not kept: lockstep prepare says ${printed.trim()}`);
}

/** The layout that buildah wrote. */
async function buildWithBuildah(
  reference: string,
  baseFile: string,
  context: string,
  work: string,
): Promise<string> {
  const layout = path.join(work, "layout");
  const storage = path.join(work, "storage");
  // Nothing is fetched, so there is nothing to verify: the base is our own file.
  const policy = path.join(work, "policy.json");
  await writeFile(policy, '{"default":[{"type":"insecureAcceptAnything"}]}');
  const settings = await writeBuildahSettings(work);
  // vfs works on every file system, and is as fast as overlay for a single image.
  const driver = ["--root", storage, "--runroot", `${storage}-run`, "--storage-driver", "vfs"];
  const limits = ulimitsFrom(await readFile("/proc/self/limits", "utf8"));
  const isolation = ["--isolation", "chroot", "--signature-policy", policy, "--timestamp", "0"];
  const made = ["--build-arg", `BASE=oci-archive:${baseFile}`, "--build-arg", "PRODUCT=made"];
  const source = [...made, "-f", dockerfile];
  const buildah = (args: readonly string[]) => runBuildah(args, work, settings);
  await buildah([...driver, "build", ...isolation, ...limits, ...source, "-t", reference, context]);
  const target = [reference, `oci:${layout}:built`];
  await buildah([...driver, "push", "--signature-policy", policy, ...target]);
  await rm(storage, { recursive: true });
  return layout;
}

/**
 * Newer ones do not start without a program that makes networks. It is not called: the steps of the
 * build run in a chroot, with this machine's network.
 */
async function writeBuildahSettings(work: string): Promise<string> {
  const programs = path.join(work, "programs");
  await mkdir(programs);
  await symlink("/bin/true", path.join(programs, "netavark"));
  const file = path.join(work, "containers.conf");
  await writeFile(file, `[engine]\nhelper_binaries_dir = [${JSON.stringify(programs)}]\n`);
  return file;
}

async function runBuildah(args: readonly string[], work: string, settings: string): Promise<void> {
  const env = { ...process.env, CONTAINERS_CONF: settings };
  const ended = await runAlone("buildah", args, { work, timeoutMs: buildTimeoutMs, env });
  if (ended.code === 0) return;
  throw new ClusterError(`buildah cannot build the image of Lockstep: ${lastWords(ended)}`);
}

/** Limits as they are: raising them to its own defaults, as newer ones do, is not everywhere allowed. */
export function ulimitsFrom(procLimits: string): string[] {
  const names = [
    ["nofile", "Max open files"],
    ["nproc", "Max processes"],
  ] as const;
  return names.flatMap(([name, title]) => {
    const found = new RegExp(`^${title} +(\\S+) +(\\S+)`, "m").exec(procLimits);
    if (found === null) return [];
    const [soft, hard] = found.slice(1).map((value) => (value === "unlimited" ? "-1" : value));
    return [`--ulimit=${name}=${soft}:${hard}`];
  });
}

/** The one manifest of a layout's index. @throws ClusterError */
export function onlyManifest(index: unknown): object {
  const manifests =
    typeof index === "object" && index !== null && "manifests" in index ? index.manifests : [];
  const [manifest, ...others]: unknown[] = Array.isArray(manifests) ? manifests : [];
  if (typeof manifest === "object" && manifest !== null && others.length === 0) return manifest;
  throw new ClusterError(
    `buildah wrote an index without exactly one image: ${JSON.stringify(index)}`,
  );
}

async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}
