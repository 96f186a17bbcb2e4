/**
 * Builds programs of one group with Go: looks whether there is room, fetches the modules, compiles all
 * in one command, and says all the time how far it is. The results are whole files in a given folder.
 */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { BinariesError } from "./binaries-error.ts";
import {
  type BinaryName,
  type BuildGroup,
  buildArguments,
  buildFlags,
  cheaper,
  packagesOf,
} from "./binary-table.ts";
import { type Need, place, shortage } from "./disk-room.ts";
import { type Go, isPackageLine, runGo } from "./go-command.ts";
import { type BuildStep, type Say, timeStep } from "./progress.ts";

export interface BuildOrder {
  readonly group: BuildGroup;
  readonly names: readonly BinaryName[];
  /** The folder of the modules. */
  readonly tools: string;
  /** Where the programs are to be. */
  readonly output: string;
  readonly say: Say;
}

const modulesTimeoutMs = 20 * 60_000;
const compileTimeoutMs = 60 * 60_000;

/** From here on it takes minutes on two processors. */
const manyPackages = 300;

/** Builds on an empty cache, measured, and rounded up. */
const room = { moduleBytes: 4e6, packageBytes: 1.2e6, programBytes: 105e6 };

/** @throws BinariesError */
export async function buildPrograms(go: Go, order: BuildOrder): Promise<BuildStep[]> {
  const { group, say } = order;
  const directory = path.join(order.tools, group.module);
  const caches = await goCaches(go, directory);
  const missing = await missingModules(directory, caches.modules);
  await requireRoom([
    { what: "modules", folder: caches.modules, bytes: missing * room.moduleBytes },
  ]);
  let downloads = 0;
  const listing = await timeStep(
    `${group.name}: modules`,
    say,
    () => `${downloads} downloaded`,
    async () => {
      return await stalePackages(go, order, directory, () => {
        downloads += 1;
      });
    },
  );
  const stale = listing.result;
  await requireRoom([
    { what: "compiled packages", folder: caches.build, bytes: stale * room.packageBytes },
    { what: "linking", folder: caches.work, bytes: order.names.length * room.programBytes },
    { what: "the programs", folder: order.output, bytes: order.names.length * room.programBytes },
  ]);
  say(`${group.name}: ${announcement(stale)} ${order.names.join(", ")}`);
  let compiled = 0;
  const compiling = await timeStep(
    `${group.name}: programs`,
    say,
    () => `${compiled} of ${stale} packages compiled`,
    async () => {
      await runGo(go, {
        args: buildArguments(group, order.names, order.output),
        directory,
        timeoutMs: compileTimeoutMs,
        onErrorLine: (line) => {
          if (isPackageLine(line)) compiled += 1;
        },
      });
    },
  );
  return [listing.step, compiling.step];
}

function announcement(stale: number): string {
  if (stale === 0) return "linking";
  if (stale < manyPackages) return `compiling ${stale} packages for`;
  return `compiling ${stale} packages, which takes minutes, this once, for`;
}

interface GoCaches {
  readonly modules: string;
  readonly build: string;
  /** Where Go links. */
  readonly work: string;
}

async function goCaches(go: Go, directory: string): Promise<GoCaches> {
  const args = ["env", "GOMODCACHE", "GOCACHE", "GOTMPDIR"];
  const [modules = "", build = "", work = ""] = await runGo(go, {
    args,
    directory,
    timeoutMs: modulesTimeoutMs,
  });
  return { modules, build, work: work || (go.environment["TMPDIR"] ?? "/tmp") };
}

/** How many of the packages must be compiled, standard library and programs included. */
async function stalePackages(
  go: Go,
  order: BuildOrder,
  directory: string,
  onDownload: () => void,
): Promise<number> {
  // A program that could be linked from compiled packages is called stale as well: not that.
  const format = "{{if .Stale}}{{.StaleReason}}{{end}}";
  const flags = [...buildFlags(order.group), ...cheaper, "-deps", "-f", format];
  const reasons = await runGo(go, {
    args: ["list", ...flags, ...packagesOf(order.group, order.names)],
    directory,
    timeoutMs: modulesTimeoutMs,
    onErrorLine: (line) => {
      if (line.startsWith("go: downloading ")) onDownload();
    },
  });
  return reasons.filter((reason) => reason !== "" && !reason.includes("build cache")).length;
}

async function missingModules(directory: string, moduleCache: string): Promise<number> {
  const wanted = modulesOf(await readFile(path.join(directory, "go.sum"), "utf8"));
  const there = await Promise.all(
    wanted.map((name) =>
      stat(path.join(moduleCache, name)).then(
        () => true,
        () => false,
      ),
    ),
  );
  return there.filter((known) => !known).length;
}

/** The folders of a go.sum's modules in the module cache, where capital letters are written !small. */
export function modulesOf(goSum: string): string[] {
  return goSum.split("\n").flatMap((line) => {
    const [name, version] = line.split(" ");
    if (name === undefined || version === undefined || version.endsWith("/go.mod")) return [];
    return [`${name}@${version}`.replace(/[A-Z]/g, (letter) => `!${letter.toLowerCase()}`)];
  });
}

async function requireRoom(needs: readonly Need[]): Promise<void> {
  const placed = await Promise.all(needs.filter((need) => need.bytes > 0).map(place));
  const short = shortage(placed);
  if (short !== null) throw new BinariesError("no room", short);
}
