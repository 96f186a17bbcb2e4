/**
 * A cluster of level "api" (a real API server with its etcd, and nothing else) for the tests of one
 * file: up before the first, down after the last, whether they pass or fail. Where a cluster cannot be
 * started, the tests are skipped by name with the reason.
 */
import { describe } from "@jest/globals";
import type { Cluster } from "../cluster/cluster.ts";
import { withClusterOf } from "../cluster/cluster-of-tests.ts";
import type { Kubectl } from "../cluster/kubectl.ts";
import { whyNoCluster } from "../cluster/why-no-cluster.ts";
import { ApiClient, administrator } from "./api-client.ts";

const whyNoApi = await whyNoCluster("api", 0);

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
  withClusterOf({ purpose, level: "api" }, async (cluster) => {
    api = await open(cluster);
  });
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
