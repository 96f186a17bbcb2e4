/**
 * Enforces NetworkPolicies on real nodes: from the machine, in each node's network namespace. A node
 * has the rules of the last state seen for as long as it is up; one that was switched on gets them
 * anew. While the cluster's state is not known, nothing is changed anywhere.
 *
 * A pod is known when its address is in its status, about a second after it started: until then
 * nothing is blocked at its end. Connections that exist when a policy begins to deny them live on.
 */
import { stat } from "node:fs/promises";
import { run } from "../run-program.ts";
import type { KubernetesObject, NetworkPolicy, Pod } from "./kubernetes-objects.ts";
import { rulesOfNode } from "./network-policy-rules.ts";
import { type ObjectSource, WatchedObjects } from "./watched-objects.ts";

/** Of every node that is up, by its name: a file that is its network namespace. */
export type FindNamespaces = () => ReadonlyMap<string, string>;

interface Applied {
  readonly rules: string;
  /** Tells the node's network namespace from those it had before. */
  readonly identity: string;
}

const nftTimeoutMs = 10_000;

export class NetworkPolicyEngine {
  readonly #findNamespaces: FindNamespaces;
  readonly #pods: WatchedObjects<Pod>;
  readonly #namespaces: WatchedObjects<KubernetesObject>;
  readonly #policies: WatchedObjects<NetworkPolicy>;
  readonly #applied = new Map<string, Applied>();

  constructor(client: ObjectSource, findNamespaces: FindNamespaces, onChange: () => void) {
    this.#findNamespaces = findNamespaces;
    this.#pods = new WatchedObjects(client, "/api/v1/pods", onChange);
    this.#namespaces = new WatchedObjects(client, "/api/v1/namespaces", onChange);
    const policies = "/apis/networking.k8s.io/v1/networkpolicies";
    this.#policies = new WatchedObjects(client, policies, onChange);
  }

  /** What it must be told of before it can reconcile. */
  get watched() {
    return [this.#pods, this.#namespaces, this.#policies] as const;
  }

  /** Gives every node that is up the rules it should have and has not. */
  async reconcile(report: (line: string) => void): Promise<void> {
    const world = {
      pods: this.#pods.all,
      namespaces: this.#namespaces.all,
      policies: this.#policies.all,
    };
    for (const [node, file] of this.#findNamespaces()) {
      const identity = await identityOf(file);
      if (identity === null) continue;
      const rules = rulesOfNode(node, world);
      const applied = this.#applied.get(node);
      if (applied?.rules === rules && applied.identity === identity) continue;
      const nft = [`--net=${file}`, "nft", "-f", "-"];
      await run("nsenter", nft, { input: rules, timeoutMs: nftTimeoutMs });
      this.#applied.set(node, { rules, identity });
      report(`${node} has the rules of ${world.policies.length} network policies`);
    }
  }
}

/**
 * The kernel gives the number of a namespace that is gone to a new one: the time tells them apart.
 * Null: the node went down just now, or what is there is the machine's own namespace.
 */
async function identityOf(file: string): Promise<string | null> {
  try {
    const [{ ino, ctimeMs }, machine] = await Promise.all([stat(file), stat("/proc/self/ns/net")]);
    return ino === machine.ino ? null : `${ino} ${ctimeMs}`;
  } catch {
    return null;
  }
}
