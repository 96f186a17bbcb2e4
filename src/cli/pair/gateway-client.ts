/** What a gateway tells over HTTP. */
import { z } from "zod";
import type { GatewayStatus } from "../../shared/protocol/gateway-status.ts";
import type { Address } from "./state-directory.ts";

const count = z.int().nonnegative();

const statusSchema: z.ZodType<GatewayStatus> = z.object({
  vm: z.string(),
  pid: z.int().positive(),
  gateway: count,
  epoch: z.int().nullable(),
  attached: z.string().nullable(),
  guestReady: z.boolean().nullable(),
  gvproxy: z.object({ pid: z.int().positive().nullable(), restarts: count }),
  ports: z.array(
    z.object({ local: z.string(), guestPort: z.int(), protocol: z.literal(["tcp", "udp"]) }),
  ),
  counters: z.object({
    ingressFrames: count,
    ingressBytes: count,
    ingressExpired: count,
    ingressDropped: count,
    egressFrames: count,
    egressBytes: count,
    egressDropped: count,
    egressForbidden: count,
    egressFenced: count,
    egressRepeated: count,
    malformed: count,
    failovers: count,
  }),
});

const statusTimeoutMs = 1_000;

/** Null: it does not answer, or not as a gateway does. */
export async function readGatewayStatus({ host, port }: Address): Promise<GatewayStatus | null> {
  try {
    const response = await fetch(`http://${host}:${port}/status`, {
      signal: AbortSignal.timeout(statusTimeoutMs),
    });
    return statusSchema.safeParse(await response.json()).data ?? null;
  } catch {
    return null;
  }
}
