/** What a VM's pods ask of their node. */
import { assert } from "../../shared/assert.ts";
import type { ResourcesSpec } from "../api/v1alpha1-spec.ts";

/** The machine, and the spare instance into which it moves at a state transfer: both are touched. */
const guestCopies = 2;
/** Node, v86's own memory in both instances, the log for a backup, the console's and network's history. */
const runnerOverheadMiB = 192;
/** Only at a state transfer: the log kept for the candidate, and what is compressed and not yet sent. */
const transferMiB = 256;
/**
 * An idle guest takes some hundredths of a CPU, a busy one a whole one. The request is the share that is
 * left when a node is full: enough for heartbeats, and for a guest that mostly waits. Without a limit,
 * since being stopped for the rest of a period would look like a lost half.
 */
const runnerCpu = "100m";

const gatewayResources = {
  requests: { cpu: "20m", memory: "128Mi" },
  /** Every client's connection has buffers; a gateway beyond this is started again. */
  limits: { memory: "512Mi" },
} as const;

/** What a runner writes to /tmp: at most the kept boot of a guest that the image has none of. */
export const runnerTemporary = "512Mi";
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
  const requestMiB = guestCopies * memoryMiB(memory) + runnerOverheadMiB;
  const defaults: Resources = {
    requests: { cpu: runnerCpu, memory: `${requestMiB}Mi` },
    limits: { memory: `${requestMiB + transferMiB}Mi` },
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
