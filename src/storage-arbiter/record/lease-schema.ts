/** Shapes of what an API server answers, as far as the record needs them. */
import { z } from "zod";
import type { Lease } from "./kube-lease.ts";

/** What else the object has is kept: it is written back as it was. */
export const leaseSchema: z.ZodType<Lease> = z.looseObject({
  apiVersion: z.literal("coordination.k8s.io/v1"),
  kind: z.literal("Lease"),
  metadata: z.looseObject({
    name: z.string(),
    namespace: z.string(),
    // Without them the API server would take a change of any version, and make a Lease that is gone.
    uid: z.string().min(1),
    resourceVersion: z.string().min(1),
    annotations: z.record(z.string(), z.string()).exactOptional(),
  }),
  spec: z
    .looseObject({
      holderIdentity: z.string().nullable().exactOptional(),
      leaseTransitions: z.number().nullable().exactOptional(),
      renewTime: z.string().nullable().exactOptional(),
    })
    .exactOptional(),
});

/** What the API server says instead of an object. */
export interface Status {
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly details?:
    | { readonly name?: string | undefined; readonly kind?: string | undefined }
    | undefined;
}

export const statusSchema: z.ZodType<Status> = z.object({
  kind: z.literal("Status"),
  reason: z.string().optional(),
  message: z.string().optional(),
  details: z.object({ name: z.string().optional(), kind: z.string().optional() }).optional(),
});

/**
 * Is it the API server's word that there is no Lease `name`? Any other 404, such as that of a server
 * that does not serve Leases yet, says nothing about the record.
 */
export function saysNoLease(status: number, body: unknown, name: string): boolean {
  const { data } = statusSchema.safeParse(body);
  if (status !== 404 || data?.reason !== "NotFound") return false;
  return data.details?.name === name && data.details.kind === "leases";
}
