/**
 * Enforces NetworkPolicies on real nodes: from the machine, in each node's network namespace. A node
 * has the rules of the last state seen for as long as it is up; one that was switched on gets them
 * anew. While the cluster's state is not known, nothing is changed anywhere.
 *
 * A pod is known when its address is in its status, a moment after it started: until then nothing is
 * blocked at its end. Connections that exist when a policy begins to deny them live on.
 */
import { stat } from "node:fs/promises";
import { run } from "../run-program.ts";
import type { KubernetesObject, NetworkPolicy, Pod } from "./kubernetes-objects.ts";
import { rulesOfNode } from "./network-policy-rules.ts";
import { type ObjectSource, WatchedObjects } from "./watched-objects.ts";

/** The network namespace of a node that is up. */
export interface NodeNamespace {
  readonly file: string;
  /**
   * Tells it from those that the node had before it was switched off and on. (Its number does not:
   * the kernel gives that of a namespace that is gone to the next one.)
   */
  readonly life: string;
}

/** Of every node that is up, by its name. */
export type FindNamespaces = () => ReadonlyMap<string, NodeNamespace>;

interface Applied {
  readonly rules: string;
  readonly life: string;
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
    for (const [node, { file, life }] of this.#findNamespaces()) {
      const rules = rulesOfNode(node, world);
      const applied = this.#applied.get(node);
      if (applied?.rules === rules && applied.life === life) continue;
      if (!(await isOwnNamespace(file))) continue;
      const nft = [`--net=${file}`, "nft", "-f", "-"];
      await run("nsenter", nft, { input: rules, timeoutMs: nftTimeoutMs });
      this.#applied.set(node, { rules, life });
      report(`${node} has the rules of ${world.policies.length} network policies`);
    }
  }
}

/** False: the node went down just now, or what is there is the machine's namespace. */
async function isOwnNamespace(file: string): Promise<boolean> {
  try {
    const [node, machine] = await Promise.all([stat(file), stat("/proc/self/ns/net")]);
    return node.ino !== machine.ino;
  } catch {
    return false;
  }
}
