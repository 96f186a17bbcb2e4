/** What a VM's pods ask of their node. */
import { assert } from "../../shared/assert.ts";
import type { ResourcesSpec } from "../api/v1alpha1-spec.ts";

/*
 * Measured (npm run bench -- memory; bench/README.md has the table), resident MiB of the larger half:
 *
 *     guest            between transfers   at most, with transfers
 *     tiny, 16 MiB                   440                       440
 *     tiny, 32 MiB                   490                       510
 *     default, 128 MiB               820                     1,020
 *     default, 256 MiB             1,050                     1,470
 *     default, 512 MiB             1,640                     2,140
 *
 * A runner keeps its machine and the spare instance into which it moves at a state transfer; a third one,
 * the frozen source or what is received, comes with the transfer. Each is as large as the guest and touched
 * from end to end, whatever the guest uses of it. 60 MiB of each are Node's program, of which a node has one.
 */
const requestedCopies = 3;
/** Node, V8's code for v86, and the log for a backup; the peak at which a limit would kill comes on top. */
const requestedMiB = 320;
/** An exceeded limit kills one half of a pair, so it has a third and more above all that was measured. */
const limitCopies = 5;
const limitMiB = 768;
/**
 * An idle runner takes 50 to 130 thousandths of a CPU, a busy one a whole one. The request is the share
 * that is left when a node is full: enough for heartbeats, and for a guest that mostly waits. Without a
 * limit, since being stopped for the rest of a period would look like a lost half.
 */
const runnerCpu = "100m";

const gatewayResources = {
  requests: { cpu: "20m", memory: "128Mi" },
  /** Every client's connection has buffers; a gateway beyond this is started again. */
  limits: { memory: "512Mi" },
} as const;

/** What a runner may write to /tmp: nothing but small files of the shell that looks for the guest. */
export const runnerTemporary = "16Mi";
/** The gateway's sockets. */
export const gatewayTemporary = "16Mi";

type Quantities = Readonly<Record<string, string>>;

export interface Resources {
  readonly requests: Quantities;
  readonly limits: Quantities;
}

/**
 * What the user says of a resource replaces both the request and the limit that it would have: either
 * of them with the other one's default could contradict it.
 */
export function runnerResources(memory: string, own: ResourcesSpec = {}): Resources {
  const guestMiB = memoryMiB(memory);
  const defaults: Resources = {
    requests: { cpu: runnerCpu, memory: `${requestedCopies * guestMiB + requestedMiB}Mi` },
    limits: { memory: `${limitCopies * guestMiB + limitMiB}Mi` },
  };
  const said = new Set([...Object.keys(own.requests ?? {}), ...Object.keys(own.limits ?? {})]);
  const unsaid = (quantities: Quantities) =>
    Object.fromEntries(Object.entries(quantities).filter(([name]) => !said.has(name)));
  return {
    requests: { ...unsaid(defaults.requests), ...own.requests },
    limits: { ...unsaid(defaults.limits), ...own.limits },
  };
}

export function resourcesOfGateway(): Resources {
  return gatewayResources;
}

/** Of a quantity that the API's rules let through: a whole number of Mi or Gi. */
export function memoryMiB(quantity: string): number {
  const match = /^([1-9]\d*)(Mi|Gi)$/.exec(quantity);
  assert(match !== null, `the API's rule lets through only whole Mi and Gi, not "${quantity}"`);
  return Number(match[1]) * (match[2] === "Gi" ? 1024 : 1);
}
