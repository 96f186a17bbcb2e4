/**
 * Where the cluster's programs come from, each from the first source that has it: a folder the user
 * names, the cache, or a build with Go from what tools/ pins. Only what is asked for is built.
 *
 *     named folder (LOCKSTEP_CLUSTER_BIN, KUBEBUILDER_ASSETS) -> cache, checked -> go build -> missing
 */
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../../src/platform/cache-directory.ts";
import { BinariesError } from "./binaries-error.ts";
import { groupFolder, lookUp, put } from "./binary-cache.ts";
import { type BinaryName, goVersionMin, groupsFor } from "./binary-table.ts";
import { newClaimant, startTimeOf, whileAlone } from "./build-claim.ts";
import { type BuildOrder, buildPrograms } from "./go-build.ts";
import { type Environment, findGo, type Go } from "./go-command.ts";
import { findInNamedFolders, folderVariables } from "./named-folder.ts";
import { type BuildStep, type Say, sayNowAndThen, timeStep } from "./progress.ts";

export type FoundBinaries =
  | {
      readonly kind: "there";
      readonly paths: ReadonlyMap<BinaryName, string>;
      /** What was built just now, and how long it took; nothing, if all was there. */
      readonly steps: readonly BuildStep[];
    }
  | { readonly kind: "missing"; readonly why: string };

export interface FindOptions {
  readonly mayBuild: boolean;
  readonly say: Say;
}

/** Everything outside that the search depends on. */
export interface Surroundings {
  readonly environment: Environment;
  readonly cache: string;
  readonly tools: string;
  readonly build: (go: Go, order: BuildOrder) => Promise<BuildStep[]>;
}

/** @throws BinariesError when a folder is named that cannot be right */
export async function findBinaries(
  names: readonly BinaryName[],
  options: FindOptions,
): Promise<FoundBinaries> {
  return await findBinariesIn(names, options, {
    environment: process.env,
    cache: cacheDirectory(),
    tools: fileURLToPath(new URL("./tools/", import.meta.url)),
    build: buildPrograms,
  });
}

const waitMsMax = 90 * 60_000;

export async function findBinariesIn(
  names: readonly BinaryName[],
  options: FindOptions,
  around: Surroundings,
): Promise<FoundBinaries> {
  const paths = await findInNamedFolders(names, around.environment);
  const damages = await addCached(paths, names, around);
  const lacking = lackingOf(names, paths);
  if (lacking.length === 0) return { kind: "there", paths, steps: [] };
  for (const damage of damages) options.say(damage);
  if (!options.mayBuild) return { kind: "missing", why: notThere(lacking) };
  const go = await findGo(around.environment);
  if (go === null) return { kind: "missing", why: noGo(lacking) };
  try {
    const steps = await buildAlone(go, paths, names, options.say, around);
    return { kind: "there", paths, steps };
  } catch (error) {
    if (!(error instanceof BinariesError)) throw error;
    return { kind: "missing", why: `the cluster needs ${listed(lacking)}: ${error.message}` };
  }
}

function lackingOf(names: readonly BinaryName[], paths: ReadonlyMap<BinaryName, string>) {
  return names.filter((name) => !paths.has(name));
}

/** Adds what is in the cache and good; returns a sentence about each that is not. */
async function addCached(
  paths: Map<BinaryName, string>,
  names: readonly BinaryName[],
  around: Surroundings,
): Promise<string[]> {
  const damages: string[] = [];
  for (const part of groupsFor(lackingOf(names, paths))) {
    const folder = await groupFolder(around.cache, around.tools, part.group);
    for (const name of part.names) {
      const entry = await lookUp(folder, name);
      if (entry.kind === "good") paths.set(name, entry.file);
      if (entry.kind === "damaged") damages.push(`${entry.file} is not used: ${entry.why}`);
    }
  }
  return damages;
}

/** Adds what is lacking, built here or, while this waited, by another process. */
async function buildAlone(
  go: Go,
  paths: Map<BinaryName, string>,
  names: readonly BinaryName[],
  say: Say,
  around: Surroundings,
): Promise<BuildStep[]> {
  const sayWaiting = sayNowAndThen(say);
  const options = {
    self: await newClaimant(),
    startTimeOf,
    onWait: ({ pid }: { readonly pid: number }) =>
      sayWaiting(`process ${pid} is building the cluster's programs; waiting for it`),
    waitMsMax,
  };
  const done = await whileAlone(path.join(around.cache, "cluster", "claims"), options, async () => {
    await addCached(paths, names, around);
    const steps: BuildStep[] = [];
    for (const part of groupsFor(lackingOf(names, paths))) {
      steps.push(...(await buildInto(go, paths, part, say, around)));
    }
    return steps;
  });
  if (done !== null) return done.result;
  throw new BinariesError(
    "build failed",
    `another process has been building them for ${waitMsMax / 60_000} minutes; end it, and try again`,
  );
}

async function buildInto(
  go: Go,
  paths: Map<BinaryName, string>,
  part: Pick<BuildOrder, "group" | "names">,
  say: Say,
  around: Surroundings,
): Promise<BuildStep[]> {
  const folder = await groupFolder(around.cache, around.tools, part.group);
  const output = await makeWorkFolder(path.join(around.cache, "cluster", "building"));
  try {
    const built = await around.build(go, { ...part, tools: around.tools, output, say });
    const state = () => `${part.names.length} into the cache`;
    const kept = await timeStep(`${part.group.name}: kept`, say, state, async () => {
      for (const name of part.names) {
        paths.set(name, await put(path.join(output, name), folder, name));
      }
    });
    return [...built, kept.step];
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}

/** Whatever is there is left from a build that was killed: nobody else builds now. */
async function makeWorkFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true });
  for (const name of await readdir(parent)) {
    await rm(path.join(parent, name), { recursive: true, force: true });
  }
  return await mkdtemp(path.join(parent, "build-"));
}

function listed(names: readonly BinaryName[]): string {
  return names.join(", ");
}

function notThere(names: readonly BinaryName[]): string {
  return (
    `the cluster needs ${listed(names)}: not in a folder that ${folderVariables.join(" or ")} names, ` +
    `not in the cache, and not to be built now`
  );
}

function noGo(names: readonly BinaryName[]): string {
  return (
    `the cluster needs ${listed(names)}, and there is no Go to build them with; install Go ` +
    `${goVersionMin} or newer, or set ${folderVariables[0]} to a folder that has them`
  );
}
