/** What a runner tells and does over HTTP. */
import { z } from "zod";
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import type { Address } from "./state-directory.ts";

const count = z.number().nonnegative();
const quantiles = z.object({ p50: z.number(), p99: z.number(), max: z.number() });

const statusSchema: z.ZodType<RunnerStatus> = z.object({
  vm: z.string(),
  name: z.string(),
  nonce: z.string(),
  pid: z.int().positive(),
  role: z.literal(["candidate", "joining", "backup", "taking over", "primary", "stopped"]),
  live: z.boolean(),
  epoch: z.int().nullable(),
  primary: z.string().nullable(),
  backup: z.string().nullable(),
  takeovers: count,
  lastGoLive: z.object({ reason: z.string(), afterMs: count, agoMs: count }).nullable(),
  step: z.number(),
  virtualMs: z.number(),
  lagEntries: z.number(),
  lagMs: z.number(),
  recentLagMs: quantiles,
  logBytes: count,
  logEntries: count,
  cpuLimit: count,
  outputHoldMs: quantiles,
  network: z.object({
    attached: z.boolean(),
    ingressFrames: count,
    ingressBytes: count,
    egressFrames: count,
    egressBytes: count,
    ingressDropped: count,
    egressDropped: count,
    holdMs: quantiles,
  }),
  transfers: z.object({
    running: z.boolean(),
    finished: count,
    failed: count,
    lastPauseMs: z.number(),
    lastMs: z.number(),
    lastBytes: z.number(),
  }),
  divergences: count,
  badMessages: count,
});

const statusTimeoutMs = 1_000;
const powerOffTimeoutMs = 5_000;

/** Null: it does not answer, or not as a runner does. */
export async function readStatus(http: Address): Promise<RunnerStatus | null> {
  try {
    const response = await fetch(`http://${http.host}:${http.port}/status`, {
      signal: AbortSignal.timeout(statusTimeoutMs),
    });
    const parsed = statusSchema.safeParse(await response.json());
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Asks a runner to switch the VM off; false: it is not the primary, or it does not answer. */
export async function askPowerOff(http: Address): Promise<boolean> {
  try {
    const response = await fetch(`http://${http.host}:${http.port}/poweroff`, {
      method: "POST",
      signal: AbortSignal.timeout(powerOffTimeoutMs),
    });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}
