/**
 * The machine's limits on inotify: kubelets, containerds and kube-proxies of all nodes share those of
 * one user. The first cluster that needs more raises them, the last one that goes sets them back.
 */
import { readFile, writeFile } from "node:fs/promises";
import { ClusterError } from "./cluster-error.ts";
import type { ClusterRecord, Records } from "./record.ts";

const needed: Readonly<Record<string, number>> = {
  "fs/inotify/max_user_instances": 4096,
  "fs/inotify/max_user_watches": 524_288,
};

/** The record with what must be set back when it goes. Its caller holds the records' lock. */
export async function raiseLimits(records: Records, record: ClusterRecord): Promise<ClusterRecord> {
  const others = (await records.all()).filter((other) => other.id !== record.id);
  const limitsBefore: Record<string, number> = {};
  for (const [name, wanted] of Object.entries(needed)) {
    const raisedFrom = others.map((other) => other.limitsBefore[name]).find((n) => n !== undefined);
    const current = await readLimit(name);
    if (raisedFrom !== undefined) limitsBefore[name] = raisedFrom;
    else if (current < wanted) limitsBefore[name] = current;
  }
  const raised = { ...record, limitsBefore };
  // First the record, then the limits: who is killed in between sets back what was never changed.
  await records.update(raised);
  for (const name of Object.keys(limitsBefore)) {
    await writeLimit(name, Math.max(needed[name] ?? 0, await readLimit(name)));
  }
  return raised;
}

/**
 * Sets the limits back, unless another cluster needs them, or may: one whose record cannot be read. Its
 * caller holds the records' lock.
 */
export async function restoreLimits(records: Records, record: ClusterRecord): Promise<void> {
  const all = await records.all().catch((error: unknown) => {
    if (error instanceof ClusterError) return null;
    throw error;
  });
  if (all === null) return;
  const others = all.filter((other) => other.id !== record.id);
  for (const [name, before] of Object.entries(record.limitsBefore)) {
    if (others.every((other) => other.limitsBefore[name] === undefined))
      await writeLimit(name, before);
  }
}

async function readLimit(name: string): Promise<number> {
  return Number(await readFile(`/proc/sys/${name}`, "utf8"));
}

async function writeLimit(name: string, value: number): Promise<void> {
  await writeFile(`/proc/sys/${name}`, String(value));
}
