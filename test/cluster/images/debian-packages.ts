/**
 * Unpacks packages of Debian 13 into a directory, whatever Debian this machine runs. apt verifies
 * their signatures; the directory keeps nothing of this machine, nor of how it was made.
 */
import { mkdir, readdir, rm, symlink } from "node:fs/promises";
import path from "node:path";
import process from "node:process";
import { ClusterError } from "../cluster-error.ts";
import { run } from "../run-program.ts";
import {
  type Extraction,
  type Mirrors,
  mirrorSettings,
  mirrorsFrom,
  mmdebstrapArguments,
} from "./debian-mirror.ts";
import { machineArchitecture } from "./pack-image.ts";
import { keyring } from "./required-programs.ts";
import { lastWords, runAlone } from "./run-alone.ts";

const installTimeoutMs = 600_000;

/** The packages and what they depend on, installed or just unpacked. @throws ClusterError */
export async function installPackages(
  variant: Extraction["variant"],
  packages: readonly string[],
  target: string,
): Promise<void> {
  const work = path.dirname(target);
  const args = mmdebstrapArguments({
    variant,
    packages,
    architecture: machineArchitecture(),
    keyring,
    mirrors: await findMirrors(work),
    settings: mirrorSettings(await run("apt-config", ["dump"])),
    target,
  });
  await mkdir(target, { recursive: true });
  const ended = await runAlone("mmdebstrap", args, {
    work,
    timeoutMs: installTimeoutMs,
  });
  if (ended.code !== 0) {
    throw new ClusterError(
      `Debian's packages ${packages.join(", ")} cannot be fetched and unpacked: mmdebstrap says: ${lastWords(ended)}`,
    );
  }
  await removeTraces(target);
}

/** An unpacked tree has its programs below /usr only, where the kernel does not look for the loader. */
export async function linkMergedDirectories(target: string): Promise<void> {
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(path.join(target, "usr", name), { recursive: true });
    await symlink(`usr/${name}`, path.join(target, name));
  }
}

/** Devices come from the container's runtime; apt's files name this machine's mirror. */
async function removeTraces(target: string): Promise<void> {
  const files = ["etc/hostname", "etc/resolv.conf", "etc/fstab", "etc/apt", "var/log/apt"];
  const settings = ["etc/dpkg/dpkg.cfg.d/99mmdebstrap"];
  const logs = ["var/log/dpkg.log", "var/log/alternatives.log", "var/log/bootstrap.log"];
  const emptied = ["dev", "var/cache/apt", "var/lib/apt", "var/cache/debconf", "tmp", "run"];
  const gone = [...files, ...settings, ...logs].map((name) => path.join(target, name));
  for (const directory of emptied.map((name) => path.join(target, name))) {
    gone.push(...(await namesIn(directory)).map((name) => path.join(directory, name)));
  }
  for (const place of gone) await rm(place, { recursive: true, force: true });
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch {
    return [];
  }
}

/** apt is asked, because it reads its configuration best; it is only asked to print. */
async function findMirrors(work: string): Promise<Mirrors> {
  const named = process.env["LOCKSTEP_DEBIAN_MIRROR"];
  // Not its own lists, which another apt may have locked: none at all.
  const lists = ["-o", `Dir::State::lists=${path.join(work, "lists")}`];
  const known = mirrorsFrom(await run("apt-get", ["update", "--print-uris", ...lists]));
  if (named !== undefined && named !== "")
    return { main: named, security: known?.security ?? null };
  if (known !== null) return known;
  throw new ClusterError(
    "apt on this machine knows no Debian mirror; set LOCKSTEP_DEBIAN_MIRROR to the address of one",
  );
}
