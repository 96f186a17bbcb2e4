/**
 * Programs from the folders that a user names. A folder that is named must exist, and what it holds
 * must be runnable: a mistyped name must not end in minutes of building what was there already.
 */
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import path from "node:path";
import { BinariesError } from "./binaries-error.ts";
import type { BinaryName } from "./binary-table.ts";

/** The first wins. KUBEBUILDER_ASSETS is where etcd, kube-apiserver and kubectl often are already. */
export const folderVariables = ["LOCKSTEP_CLUSTER_BIN", "KUBEBUILDER_ASSETS"] as const;

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
    for (const name of names) {
      if (found.has(name)) continue;
      const file = await findProgram(variable, path.resolve(folder, name));
      if (file !== null) found.set(name, file);
    }
  }
  return found;
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
