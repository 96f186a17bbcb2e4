/** The chart as its users render it, and what they get. */
import { readFile, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describe, expect } from "@jest/globals";
import { BinariesError } from "../cluster/binaries/binaries-error.ts";
import { ClusterError } from "../cluster/cluster-error.ts";
import { findHelm, type Helm, helmAlone } from "../cluster/helm.ts";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const chart = path.join(root, "charts", "lockstep");
export const release = "lockstep";
export const namespace = "lockstep-system";

const program = await findHelm((text) => void process.stderr.write(`cluster: ${text}\n`)).catch(
  (error: unknown) => {
    if (error instanceof ClusterError || error instanceof BinariesError) return error;
    throw error;
  },
);

/** Behind the name of what is skipped: the reason. */
export const unlessNoHelm = typeof program === "string" ? "" : ` (skipped: ${program.message})`;
export const describeWithHelm = typeof program === "string" ? describe : describe.skip;

/** Helm without a cluster. */
export function helm(): Helm {
  if (typeof program !== "string") throw program;
  return helmAlone(program, path.join(os.tmpdir(), "lockstep-no-helm-configuration"));
}

/** `values` are what `--set-json` takes: key and value. */
export type Values = Readonly<Record<string, unknown>>;

export function setting(values: Values): string[] {
  return Object.entries(values).flatMap(([key, value]) => [
    "--set-json",
    `${key}=${JSON.stringify(value)}`,
  ]);
}

export const someImage: Values = { "image.repository": "registry.example.com/team/lockstep" };

export async function template(values: Values, place: string = chart): Promise<string> {
  const where = ["template", release, place, "--namespace", namespace];
  return await helm().run([...where, ...setting(values)]);
}

/** The file holds this text; with LOCKSTEP_RENEW=1, it does afterwards. */
export async function expectFile(file: string, text: string): Promise<void> {
  const place = path.join(root, file);
  const before = await readFile(place, "utf8").catch(() => "");
  if (process.env["LOCKSTEP_RENEW"] === "1") {
    if (before !== text) await writeFile(place, text);
    return;
  }
  if (before === text) return;
  process.stderr.write(
    `${file} is not what the chart says now. If the difference is meant, write it anew with: ` +
      "LOCKSTEP_RENEW=1 npm test -- test/chart\n",
  );
  expect(text).toBe(before);
}
