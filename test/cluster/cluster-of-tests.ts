/**
 * The cluster of a test file: up before its first test, down after the last, whether they pass, fail, or
 * were never reached because `up` took longer than Jest waits.
 */
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll } from "@jest/globals";
import { Cluster } from "./cluster.ts";
import type { Level } from "./layout.ts";

interface Wanted {
  readonly purpose: string;
  readonly level: Level;
  readonly nodes?: number;
}

const upTimeoutMs = 600_000;
const downTimeoutMs = 180_000;

/** Inside `describe`; `use` is told of the cluster before the first test. */
export function withClusterOf(
  { purpose, level, nodes }: Wanted,
  use: (cluster: Cluster) => Promise<void>,
): void {
  const stop = new AbortController();
  let starting: Promise<Cluster> | null = null;
  beforeAll(async () => {
    const count = nodes === undefined ? {} : { nodes };
    starting = Cluster.up({ name: uniqueName(purpose), level, ...count, signal: stop.signal });
    await use(await starting);
  }, upTimeoutMs);
  afterAll(async () => {
    stop.abort();
    // An `up` that failed, or was aborted just now, has taken down what it had made.
    const cluster = await Promise.resolve(starting).catch(() => null);
    await cluster?.down();
  }, downTimeoutMs);
}

/** Of no other test, nor of one that runs at the same time. */
export function uniqueName(purpose: string): string {
  return `${purpose}-${randomBytes(3).toString("hex")}`;
}
