/** What the operator makes for one VM so that its runners reach the record: Lease, account, role. */
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { until } from "../../bench/waiting.ts";
import { type ApiServer, inClusterApi } from "../../src/storage-arbiter/record/in-cluster.ts";
import { type Lease, leaseAnnotations } from "../../src/storage-arbiter/record/kube-lease.ts";
import { LeaseClient } from "../../src/storage-arbiter/record/lease-client.ts";
import type { Layout } from "../cluster/layout.ts";
import type { Api } from "./api-level.ts";

const namespace = "default";
export const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`;
const core = `/api/v1/namespaces/${namespace}`;
const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;

interface Names {
  readonly name: string;
  readonly vm: string;
}

export interface ClientChanges {
  readonly vm?: string;
  readonly lease?: string;
  readonly server?: Partial<ApiServer>;
  readonly addresses?: ReadonlyMap<string, string>;
  readonly timeoutMs?: number;
}

export class LeaseAccount {
  readonly name: string;
  readonly vm: string;
  /** As a pod has it at /var/run/secrets/kubernetes.io/serviceaccount. */
  readonly directory: string;
  readonly #api: Api;
  readonly #layout: Layout;
  readonly #clients: LeaseClient[] = [];

  private constructor(api: Api, layout: Layout, directory: string, { name, vm }: Names) {
    this.#api = api;
    this.#layout = layout;
    this.name = name;
    this.vm = vm;
    this.directory = directory;
  }

  /** A Lease at epoch 0, and an account that may get and update it and nothing else. */
  static async create(api: Api, names: Names): Promise<LeaseAccount> {
    const { name, vm } = names;
    const directory = await mkdtemp(path.join(os.tmpdir(), "account-"));
    const layout = await api.cluster.layout();
    await copyFile(path.join(layout.pki, "ca.crt"), path.join(directory, "ca.crt"));
    const account = new LeaseAccount(api, layout, directory, names);
    await account.#make(leases, leaseOf(name, vm));
    await account.#make(`${core}/serviceaccounts`, { metadata: { name } });
    await account.allow(["get", "update"], { resourceNames: [name] });
    await account.renewToken();
    const client = account.client({ timeoutMs: 10_000 });
    const counts = async () => ((await client.read()).kind === "read" ? true : null);
    await until("the role to count", counts);
    return account;
  }

  /** One more role. */
  async allow(verbs: readonly string[], which: object, name = this.name): Promise<void> {
    const rule = { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs, ...which };
    await this.#make(`${rbac}/roles`, { metadata: { name }, rules: [rule] });
    await this.#make(`${rbac}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name: this.name, namespace }],
    });
  }

  /** As kubelet does, long before the old one ends. */
  async renewToken(more: readonly string[] = []): Promise<void> {
    const { kubectl } = this.#api;
    const token = await kubectl.run(["create", "token", this.name, "--duration=10m", ...more]);
    await this.writeToken(token.trim());
  }

  async writeToken(token: string): Promise<void> {
    await writeFile(path.join(this.directory, "token"), token);
  }

  /** Of a process in a pod of this account. */
  get environment(): Readonly<Record<string, string>> {
    const { apiAddress, apiPort } = this.#layout;
    return {
      KUBERNETES_SERVICE_HOST: apiAddress,
      KUBERNETES_SERVICE_PORT: String(apiPort),
      LOCKSTEP_SERVICE_ACCOUNT_DIR: this.directory,
    };
  }

  client(changes: ClientChanges = {}): LeaseClient {
    const { vm = this.vm, lease = this.name, addresses = new Map(), timeoutMs } = changes;
    const client = new LeaseClient({
      server: { ...inClusterApi(this.environment), ...changes.server },
      ...{ lease: { namespace, name: lease }, vm },
      addressOf: (nonce) => addresses.get(nonce) ?? null,
      onAddresses: () => {},
      now: () => new Date(),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    });
    this.#clients.push(client);
    return client;
  }

  /** As it is, for whoever looks from outside. */
  async lease(): Promise<Lease> {
    const { body } = await this.#api.admin.get(`${leases}/${this.name}`);
    // SAFETY: the API server gave it for a Lease; what is wrong in it fails the test that looks at it.
    return body as unknown as Lease;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    await rm(this.directory, { recursive: true, force: true });
  }

  async #make(at: string, object: object): Promise<void> {
    const { status, message } = await this.#api.admin.create(at, object);
    if (status !== 201) throw new Error(`${at}: ${status} ${message}`);
  }
}

/** As the operator makes it, once. */
export function leaseOf(name: string, vm: string): object {
  const annotations = { [leaseAnnotations.vm]: vm, [leaseAnnotations.takeovers]: "0" };
  return { metadata: { name, namespace, annotations }, spec: { leaseTransitions: 0 } };
}
