/**
 * Where gvproxy is, the program behind the gateway: named by LOCKSTEP_GVPROXY, on the PATH, in the
 * cache, or built once with Go from what gvproxy/go.mod and go.sum in this project pin.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { constants, rmSync } from "node:fs";
import { access, mkdir, mkdtemp, readFile, rename } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { cacheDirectory } from "../../platform/cache-directory.ts";
import { GatewayError } from "../gateway-error.ts";

const sourceDirectory = fileURLToPath(new URL("../../../gvproxy/", import.meta.url));
const packageName = "github.com/containers/gvisor-tap-vsock/cmd/gvproxy";
/** Built in 25 to 60 s where the modules are there already. */
const buildTimeoutMs = 900_000;

/** The path of a gvproxy that works here, built if need be. @throws GatewayError */
export async function findGvproxy(onProgress: (text: string) => void): Promise<string> {
  const found = await findBuiltGvproxy();
  if (found !== null) return found;
  const go = await findOnPath("go");
  if (go === null) throw new GatewayError("no gvproxy", missing);
  onProgress("building gvproxy, the program behind the guest's network; this is done once");
  const cached = await cachedProgram();
  await build(go, cached);
  return cached;
}

/** One that need not be built; null: there is none. @throws GatewayError when a wrong one is named. */
export async function findBuiltGvproxy(): Promise<string | null> {
  const named = process.env["LOCKSTEP_GVPROXY"];
  if (named !== undefined && named !== "") return await requireProgram(named);
  const onPath = await findOnPath("gvproxy");
  if (onPath !== null) return onPath;
  const cached = await cachedProgram();
  return (await isProgram(cached)) ? cached : null;
}

async function cachedProgram(): Promise<string> {
  return path.join(cacheDirectory(), "gvproxy", await buildKey(), "gvproxy");
}

const missing =
  "the guest's network needs the program gvproxy, and it is not on the PATH; install it (Debian 13: " +
  "apt-get install gvproxy), or install Go 1.25 or newer, with which it is built on the first use";

async function requireProgram(file: string): Promise<string> {
  if (await isProgram(file)) return path.resolve(file);
  throw new GatewayError(
    "no gvproxy",
    `LOCKSTEP_GVPROXY names ${file}, which is no program that can be run; correct or unset it`,
  );
}

async function findOnPath(name: string): Promise<string | null> {
  for (const directory of (process.env["PATH"] ?? "").split(path.delimiter)) {
    if (directory === "") continue;
    const file = path.join(directory, name);
    if (await isProgram(file)) return file;
  }
  return null;
}

async function isProgram(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Everything that determines the result. */
async function buildKey(): Promise<string> {
  const hash = createHash("sha256").update(`${process.platform} ${process.arch}\0`);
  for (const name of ["go.mod", "go.sum"]) {
    hash.update(await readFile(path.join(sourceDirectory, name))).update("\0");
  }
  return hash.digest("hex").slice(0, 16);
}

/** It is renamed into place when it is whole: of two builds at once either may win. */
async function build(go: string, target: string): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  const work = await mkdtemp(`${path.dirname(target)}.building.`);
  const remove = () => rmSync(work, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    const built = path.join(work, "gvproxy");
    await runGo(go, ["build", "-mod=readonly", "-trimpath", "-o", built, packageName]);
    await rename(built, target);
  } finally {
    process.off("exit", remove);
    remove();
  }
}

async function runGo(go: string, args: readonly string[]): Promise<void> {
  const child = spawn(go, args, {
    cwd: sourceDirectory,
    env: { ...process.env, CGO_ENABLED: "0", GOWORK: "off" },
    // Standard output belongs to the command's result; what Go has to say is told on stderr.
    stdio: ["ignore", 2, 2],
    timeout: buildTimeoutMs,
  });
  const kill = () => child.kill();
  process.once("exit", kill);
  const how = await new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      resolve(code === 0 ? null : `go build ended with ${signal ?? `code ${code}`}`);
    });
  });
  process.off("exit", kill);
  if (how === null) return;
  throw new GatewayError(
    "no gvproxy",
    `gvproxy cannot be built in ${sourceDirectory}: ${how}; install gvproxy instead (Debian 13: apt-get install gvproxy)`,
  );
}
