/**
 * Programs from the folders that a user names. A folder that is named must exist, and what it holds
 * must be runnable: a mistyped name must not end in minutes of building what was there already. And of
 * Kubernetes it must hold our version: the rest comes from elsewhere, and theirs must agree.
 */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import path from "node:path";
import { attempt } from "../run-program.ts";
import { BinariesError } from "./binaries-error.ts";
import { type BinaryName, kubernetesVersion } from "./binary-table.ts";

/** The first wins. KUBEBUILDER_ASSETS is where etcd, kube-apiserver and kubectl often are already. */
export const folderVariables = ["LOCKSTEP_CLUSTER_BIN", "KUBEBUILDER_ASSETS"] as const;

const versionTimeoutMs = 10_000;

/** Those of the programs that the named folders hold. @throws BinariesError */
export async function findInNamedFolders(
  names: readonly BinaryName[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Map<BinaryName, string>> {
  const found = new Map<BinaryName, string>();
  for (const variable of folderVariables) {
    const folder = environment[variable];
    if (folder === undefined || folder === "") continue;
    await requireFolder(variable, folder);
    const here = new Map<BinaryName, string>();
    for (const name of names) {
      if (found.has(name)) continue;
      const file = await findProgram(variable, path.resolve(folder, name));
      if (file !== null) here.set(name, file);
    }
    await Promise.all([...here].map(([name, file]) => requireVersion(variable, name, file)));
    for (const [name, file] of here) found.set(name, file);
  }
  return found;
}

/** Of Kubernetes' own programs; one that does not tell its version is taken as it is. */
async function requireVersion(variable: string, name: BinaryName, file: string): Promise<void> {
  if (!name.startsWith("kube")) return;
  const question = name === "kubectl" ? ["version", "--client", "-o", "json"] : ["--version"];
  const answer = await attempt(file, question, { timeoutMs: versionTimeoutMs }).catch(() => null);
  const version = /(?:^Kubernetes |"gitVersion": *")(v\d+\.\d+\.[^"\s]+)/m.exec(
    answer?.stdout ?? "",
  )?.[1];
  if (version === undefined || minorOf(version) === minorOf(kubernetesVersion)) return;
  throw new BinariesError(
    "named folder",
    `${file}, in the folder that ${variable} names, is of Kubernetes ${version}, and the cluster is of ` +
      `${minorOf(kubernetesVersion)}; unset ${variable}, or name a folder with programs of that version`,
  );
}

/** "v1.36" of "v1.36.3". */
function minorOf(version: string): string {
  return version.split(".").slice(0, 2).join(".");
}

async function requireFolder(variable: string, folder: string): Promise<void> {
  const what = await stat(folder).catch(() => null);
  if (what?.isDirectory()) return;
  throw new BinariesError(
    "named folder",
    `${variable} names ${folder}, which is ${what === null ? "not there" : "no folder"}; ` +
      "name a folder with the cluster's programs, or unset it",
  );
}

/** null: the folder does not have it. */
async function findProgram(variable: string, file: string): Promise<string | null> {
  const what = await stat(file).catch(() => null);
  if (what === null) return null;
  if (what.isFile() && (await isExecutable(file))) return file;
  throw new BinariesError(
    "named folder",
    `${file}, in the folder that ${variable} names, is no program that can be run; ` +
      "make it executable (chmod +x), or remove it, so that another source is used",
  );
}

async function isExecutable(file: string): Promise<boolean> {
  try {
    await access(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
