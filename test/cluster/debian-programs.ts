/** Programs (and files) that come from Debian's packages: whether they are there, and what to install. */
import { accessSync, constants, existsSync } from "node:fs";
import path from "node:path";
import process from "node:process";

/** A program's name, or a file's path, and Debian's package that has it. */
export type Required = readonly [program: string, from: string];

/** The directories of administrators' programs count, whoever asks: plain su leaves them out. */
export function searchPath({ PATH = "/usr/bin:/bin" }: NodeJS.ProcessEnv): string {
  return `${PATH}:/usr/sbin:/sbin`;
}

export function isThere(program: string): boolean {
  if (path.isAbsolute(program)) return existsSync(program);
  return searchPath(process.env)
    .split(":")
    .some((directory) => {
      try {
        accessSync(path.join(directory, program), constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** "run: apt-get install ...", for a sentence. */
export function howToInstall(missing: readonly Required[]): string {
  return `run: apt-get install ${packagesOf(missing).join(" ")}`;
}

export function packagesOf(programs: readonly Required[]): string[] {
  return [...new Set(programs.map(([, from]) => from))].sort();
}
