/**
 * A cluster of level "api" (a real API server with its etcd, and nothing else) for the tests of one
 * file: up before the first, down after the last, whether they pass or fail. Where a cluster cannot be
 * started, the tests are skipped by name with the reason.
 */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import process from "node:process";
import { afterAll, beforeAll, describe } from "@jest/globals";
import { BinariesError } from "../cluster/binaries/binaries-error.ts";
import { Cluster } from "../cluster/cluster.ts";
import { ClusterError } from "../cluster/cluster-error.ts";
import type { Kubectl } from "../cluster/kubectl.ts";
import { prepareParts } from "../cluster/parts.ts";
import { Records } from "../cluster/record.ts";
import { requireMachine } from "../cluster/requirements.ts";
import { ApiClient, administrator } from "./api-client.ts";

const upTimeoutMs = 180_000;
const downTimeoutMs = 120_000;

const whyNoApi = await findReason();

// On CI with Go, what cannot be prepared is a failure, and nothing to skip over.
if (whyNoApi !== null && process.env["CI"] === "true" && hasGo()) throw new Error(whyNoApi);

/** Behind the name of what is skipped: the reason. */
export const unlessSkipped = whyNoApi === null ? "" : ` (skipped: ${whyNoApi})`;
export const describeWithApi = whyNoApi === null ? describe : describe.skip;

export interface Api {
  readonly cluster: Cluster;
  readonly kubectl: Kubectl;
  /** Plain HTTPS, as the administrator. */
  readonly admin: ApiClient;
  readonly as: (token: string) => ApiClient;
}

/** Inside `describeWithApi`: the cluster, for the tests below. */
export function withApi(purpose: string): () => Api {
  let api: Api | null = null;
  beforeAll(async () => {
    api = await open(await Cluster.up({ name: uniqueName(purpose), level: "api" }));
  }, upTimeoutMs);
  afterAll(async () => await api?.cluster.down(), downTimeoutMs);
  return () => {
    if (api === null) throw new Error("the cluster is not up");
    return api;
  };
}

async function open(cluster: Cluster): Promise<Api> {
  const layout = await cluster.layout();
  const credentials = await administrator(layout);
  return {
    cluster,
    kubectl: await cluster.kubectl(),
    admin: new ApiClient(layout.apiUrl, credentials),
    as: (token) => new ApiClient(layout.apiUrl, { ca: credentials.ca, token }),
  };
}

/** Of no other test, nor of one that runs at the same time. */
export function uniqueName(purpose: string): string {
  return `${purpose}-${randomBytes(3).toString("hex")}`;
}

async function findReason(): Promise<string | null> {
  try {
    await requireMachine("api", 0, new Records().root);
    // A first build takes minutes: not on Jest's console, which would show it only afterwards.
    await prepareParts(["api"], (text) => void process.stderr.write(`cluster: ${text}\n`));
    return null;
  } catch (error) {
    if (error instanceof ClusterError || error instanceof BinariesError) return error.message;
    throw error;
  }
}

function hasGo(): boolean {
  return spawnSync("go", ["version"]).status === 0;
}
