/**
 * Plays the runners in simulated pods, since nobody runs them: they change their VM's Lease as runners do, with
 * the runners' own transitions, and answer on the port at which the operator asks how they are.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { ports } from "../../src/operator/api/names.ts";
import type { KubernetesApi, RawObject } from "../../src/operator/kube/kubernetes-api.ts";
import { apiErrorCode } from "../../src/operator/kube/kubernetes-api-error.ts";
import { objectPath } from "../../src/operator/kube/resources.ts";
import type { VmRecord } from "../../src/shared/protocol/record.ts";
import {
  type Lease,
  leaseWith,
  recordOfLease,
} from "../../src/storage-arbiter/record/kube-lease.ts";
import { transition } from "../../src/storage-arbiter/record/transition.ts";
import { nextRequest, type PlayedReport, reportOf } from "./pair-play.ts";
import { SimulatedCluster, wholeLeaseEntry } from "./simulated-cluster.ts";

interface Runner {
  /** Key of its machine. */
  readonly vm: string;
  readonly nonce: string;
  readonly ip: string;
  /** When the guest came to live in it, by `performance.now()`, and how. */
  wentLive: { readonly atMs: number; readonly reason: string } | null;
}

/** Between the detection of a failure and the guest's going on, as a pair measures it. */
const goLiveMs = 25;
/** The lag of an idle pair wanders between these. */
const [lagMsMin, lagMsMax] = [5, 18];
const retryMs = 1_000;

export class PlayedRunners {
  readonly cluster: SimulatedCluster;
  readonly #api: KubernetesApi;
  /** By the pod's uid. */
  readonly #runners = new Map<string, Runner>();
  readonly #byIp = new Map<string, Runner>();
  /** Machines whose Lease is being changed, and whether to look again afterwards. */
  readonly #busy = new Map<string, boolean>();
  readonly #server = http.createServer((request, response) => {
    const report = this.#reportFor(request.socket.localAddress ?? "");
    response.statusCode = report === null ? 503 : 200;
    response.end(report === null ? "" : JSON.stringify(report));
  });

  constructor(api: KubernetesApi) {
    this.#api = api;
    this.cluster = new SimulatedCluster(api, (vm) => this.#look(vm));
  }

  /** Resolves when the port serves; then it goes on until `signal`. */
  async start(signal: AbortSignal): Promise<void> {
    this.#server.listen(ports.http, "0.0.0.0");
    await once(this.#server, "listening");
    signal.addEventListener("abort", () => {
      this.#server.close();
      this.#server.closeAllConnections();
    });
    void this.cluster.watch(signal);
  }

  /** Kills the primary's process of this machine: its kubelet says that SIGKILL ended it. */
  async killPrimary(vm: string): Promise<void> {
    const record = this.#recordOf(vm);
    const entry = this.cluster.pods
      .ofVm(vm)
      .find(({ uid }) => this.#runners.get(uid)?.nonce === record?.record.primary);
    if (entry === undefined) throw new Error(`${vm} has no primary`);
    const [namespace = "", name = ""] = entry.key.split("/");
    const terminated = { exitCode: 137, reason: "Error", finishedAt: new Date().toISOString() };
    const container = { name: "runner", image: "", imageID: "", ready: false, restartCount: 0 };
    await this.#api.send({
      method: "PATCH",
      path: `${objectPath("Pod", namespace, name)}/status`,
      contentType: "application/merge-patch+json",
      body: {
        status: { phase: "Failed", containerStatuses: [{ ...container, state: { terminated } }] },
      },
    });
  }

  #look(vm: string): void {
    if (this.#busy.has(vm)) {
      this.#busy.set(vm, true);
      return;
    }
    this.#busy.set(vm, false);
    void this.#play(vm)
      .catch((error: unknown) => {
        // Somebody was faster, or the Lease is gone: what is heard next says more.
        if (apiErrorCode(error) === null) throw error;
        setTimeout(() => this.#look(vm), retryMs).unref();
      })
      .finally(() => {
        const again = this.#busy.get(vm) ?? false;
        this.#busy.delete(vm);
        if (again) this.#look(vm);
      });
  }

  /** One transition of the record, if its runners would ask for one. */
  async #play(vm: string): Promise<void> {
    const runners = this.#livingOf(vm);
    const found = this.#recordOf(vm);
    if (found === null) return;
    const { lease, record } = found;
    const living = runners.map(({ nonce }) => nonce);
    const request = nextRequest(record, living);
    if (request === null) return;
    const outcome = transition(record, request);
    if (outcome.kind === "refused") throw new Error(`${vm} was refused: ${outcome.reason}`);
    const addressOf = (nonce: string) => runners.find((r) => r.nonce === nonce)?.ip ?? null;
    const now = new Date().toISOString().replace("Z", "000Z");
    const body = leaseWith(lease, outcome.record, addressOf, now);
    const { namespace, name } = lease.metadata;
    const path = objectPath("Lease", namespace, name);
    const written = await this.#api.send<RawObject & Lease>({ method: "PUT", path, body });
    const entry = wholeLeaseEntry(written);
    if (entry !== null) this.cluster.leases.assume(entry.key, entry);
    if (record.primary === outcome.record.primary) return;
    const primary = runners.find(({ nonce }) => nonce === outcome.record.primary);
    if (primary === undefined) return;
    const reason = request.kind === "start" ? "started" : "connection closed";
    primary.wentLive = { atMs: performance.now(), reason };
  }

  #recordOf(vm: string): { readonly lease: Lease; readonly record: VmRecord } | null {
    const lease = this.cluster.leases.get(vm)?.value;
    if (lease === undefined) return null;
    const read = recordOfLease(lease);
    return read.kind === "record" ? { lease, record: read.record } : null;
  }

  /** The runners whose processes run, oldest first. */
  #livingOf(vm: string): readonly Runner[] {
    return this.cluster.pods
      .ofVm(vm)
      .filter(({ value: { pod } }) => pod.component === "runner")
      .toSorted((a, b) => a.value.pod.number - b.value.pod.number)
      .flatMap(({ uid, value: { pod } }) => {
        if (pod.phase !== "Running" || pod.terminated !== null || pod.ip === null) {
          this.#forget(uid);
          return [];
        }
        return [this.#runners.get(uid) ?? this.#begin(vm, uid, pod.name, pod.ip)];
      });
  }

  #begin(vm: string, uid: string, pod: string, ip: string): Runner {
    const nonce = `${pod}_${randomBytes(8).toString("hex")}`;
    const runner: Runner = { vm, nonce, ip, wentLive: null };
    this.#runners.set(uid, runner);
    this.#byIp.set(ip, runner);
    return runner;
  }

  #forget(uid: string): void {
    const runner = this.#runners.get(uid);
    if (runner !== undefined && this.#byIp.get(runner.ip) === runner) this.#byIp.delete(runner.ip);
  }

  #reportFor(address: string): PlayedReport | null {
    const runner = this.#byIp.get(address);
    const found = runner === undefined ? null : this.#recordOf(runner.vm);
    if (runner === undefined || found === null) return null;
    const { wentLive } = runner;
    const goLive = wentLive && {
      reason: wentLive.reason,
      afterMs: goLiveMs,
      agoMs: performance.now() - wentLive.atMs,
    };
    const lagMs = lagMsMin + Math.random() * (lagMsMax - lagMsMin);
    return reportOf(found.record, runner.nonce, { goLive, lagMs });
  }
}
