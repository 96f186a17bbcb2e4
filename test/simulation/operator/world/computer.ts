/**
 * A computer of the cluster and its kubelet: it starts the containers of pods that are bound to it, ends
 * those whose pods go, and tells what became of them, if it is alive and the API server can be reached.
 */
import { labels } from "../../../../src/operator/api/names.ts";
import type { SimPod } from "./api-server.ts";
import { argumentsOf, type Runner } from "./runner.ts";
import type { World } from "./world.ts";

interface Container {
  readonly pod: SimPod;
  readonly startsMs: number;
  /** Of a runner; null: not started yet, or a gateway. */
  runner: Runner | null;
  startedMs: number | null;
  ended: { readonly code: number; readonly message: string } | null;
  killMs: number | null;
}

const syncMs = 300;
const killedCode = 137;
/** Of a pod whose object is gone the process is given no more time than this. */
const orphanGraceMs = 2_000;
const readyAfterMs = 1_000;

export class Computer {
  readonly name: string;
  powered = true;
  frozen = false;
  partitioned = false;
  kubeletAlive = true;
  lastHeardMs = 0;
  bootNumber = 1;
  /** Its Node object was deleted; a kubelet makes one only when it starts. */
  unregistered = false;
  readonly #world: World;
  readonly #containers = new Map<string, Container>();
  #addresses = 0;

  constructor(world: World, name: string) {
    this.#world = world;
    this.name = name;
    this.#syncLater();
  }

  get bootId(): string {
    return `${this.name}-boot-${this.bootNumber}`;
  }

  get reachesApi(): boolean {
    return this.powered && !this.frozen && !this.partitioned && this.#world.apiUp;
  }

  get healthy(): boolean {
    return this.powered && !this.frozen && !this.partitioned && this.kubeletAlive;
  }

  powerOff(): void {
    this.powered = false;
    for (const [uid, container] of this.#containers) {
      if (container.startedMs === null) this.#containers.delete(uid);
      else if (container.pod.metadata.labels?.[labels.component] === "runner") {
        container.runner?.kill();
        container.ended ??= { code: killedCode, message: "" };
      }
    }
  }

  powerOn(): void {
    if (this.powered) return;
    this.powered = true;
    this.bootNumber++;
    this.unregistered = false;
  }

  /** A gateway serves here. */
  serves(podUid: string): boolean {
    const container = this.#containers.get(podUid);
    return this.powered && !this.frozen && container !== undefined && container.startedMs !== null;
  }

  onRunnerEnded(runner: Runner): void {
    const container = this.#containers.get(runner.podUid);
    if (container?.runner !== runner) return;
    container.ended ??= { code: runner.exitCode ?? killedCode, message: runner.exitMessage };
  }

  #syncLater(): void {
    this.#world.agenda.after(syncMs, () => {
      this.#sync();
      this.#syncLater();
    });
  }

  #sync(): void {
    if (!this.powered || this.frozen || !this.kubeletAlive) return;
    const now = this.#world.nowMs;
    for (const container of this.#containers.values()) {
      if (container.killMs === null || now < container.killMs) continue;
      container.runner?.kill();
      container.ended ??= { code: killedCode, message: "" };
    }
    if (this.partitioned || !this.#world.apiUp) return;
    this.#register();
    const bound = this.#world.api.list("Pod").filter((pod) => pod.spec.nodeName === this.name);
    for (const pod of bound) this.#syncPod(pod);
    const uids = new Set(bound.map(({ metadata }) => metadata.uid));
    for (const [uid, container] of this.#containers) {
      if (!uids.has(uid)) this.#endOrphan(uid, container);
    }
  }

  /** Heartbeat of the node. */
  #register(): void {
    if (this.unregistered) return;
    this.lastHeardMs = this.#world.nowMs;
    this.#world.tellNode(this);
  }

  #syncPod(pod: SimPod): void {
    const { uid, deletionTimestamp, deletionGracePeriodSeconds = 0 } = pod.metadata;
    const container = this.#containers.get(uid) ?? this.#begin(pod);
    if (container === null) return;
    this.#start(container);
    if (deletionTimestamp !== undefined) {
      if (container.startedMs === null) {
        this.#containers.delete(uid);
        this.#finishUnstarted(pod);
        return;
      }
      this.#terminate(container, Math.max(deletionGracePeriodSeconds * 1_000, orphanGraceMs));
    }
    this.#report(pod, container);
    const current = this.#world.api.get("Pod", pod.metadata.name);
    if (deletionTimestamp === undefined || container.ended === null || current === null) return;
    if (current.metadata.uid === uid) this.#world.finishPod(current);
  }

  #begin(pod: SimPod): Container | null {
    const { phase } = pod.status ?? {};
    if (phase === "Failed" || phase === "Succeeded") return null;
    if (pod.metadata.deletionTimestamp !== undefined) {
      this.#finishUnstarted(pod);
      return null;
    }
    const startsMs = this.#world.nowMs + this.#world.startMs();
    const container = { pod, startsMs, runner: null, startedMs: null, ended: null, killMs: null };
    this.#containers.set(pod.metadata.uid, container);
    return container;
  }

  /** Also of what it never started the kubelet says that it is not there. */
  #finishUnstarted(pod: SimPod): void {
    const message = "The container could not be located when the pod was terminated";
    const state = {
      terminated: { exitCode: killedCode, reason: "ContainerStatusUnknown", message },
    };
    const status = {
      ...pod.status,
      phase: "Failed",
      containerStatuses: [statusOf(pod, state)],
    } as const;
    this.#world.finishPod(this.#world.api.put("Pod", { ...pod, status }));
  }

  #start(container: Container): void {
    const { pod, startedMs, startsMs } = container;
    const now = this.#world.nowMs;
    if (startedMs !== null || now < startsMs) return;
    const live = this.#world.api.get("Pod", pod.metadata.name);
    if (live?.metadata.uid === pod.metadata.uid && live.metadata.deletionTimestamp !== undefined)
      return;
    // The Secret is a volume of every pod of the machine: without it none is started.
    if (this.#world.keyUid === null) return;
    container.startedMs = now;
    if (pod.metadata.labels?.[labels.component] !== "runner") return;
    const args = argumentsOf(pod.spec.containers[0]?.args ?? []);
    container.runner = this.#world.startRunner(this, pod.metadata, args);
  }

  #terminate(container: Container, graceMs: number): void {
    const { runner } = container;
    const killMs = this.#world.nowMs + graceMs;
    container.killMs = Math.min(container.killMs ?? killMs, killMs);
    if (runner === null) container.ended ??= { code: 0, message: "" };
    else runner.terminating = true;
  }

  #endOrphan(uid: string, container: Container): void {
    if (container.ended !== null || container.startedMs === null) this.#containers.delete(uid);
    else this.#terminate(container, orphanGraceMs);
  }

  #report(pod: SimPod, { startedMs, ended, runner }: Container): void {
    if (startedMs === null) return;
    const { status } = pod;
    const phase = ended === null ? "Running" : ended.code === 0 ? "Succeeded" : "Failed";
    const startedAt = this.#world.timestamp(startedMs);
    const works = runner === null ? this.#world.nowMs - startedMs > readyAfterMs : isReady(runner);
    const ready = ended === null && works;
    const isReadyBefore = status?.conditions?.some(
      ({ type, status: is }) => type === "Ready" && is === "True",
    );
    const podIP = status?.podIP ?? this.#address();
    if (status?.phase === phase && isReadyBefore === ready) return;
    const state =
      ended === null
        ? { running: { startedAt } }
        : { terminated: { exitCode: ended.code, message: ended.message, startedAt } };
    const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
    const next = { phase, podIP, conditions, containerStatuses: [statusOf(pod, state)] } as const;
    this.#world.api.put("Pod", { ...pod, status: next });
  }

  #address(): string {
    this.#addresses++;
    return `10.${this.name.slice(-1)}.${this.#addresses >> 8}.${this.#addresses & 255}`;
  }
}

function isReady(runner: Runner): boolean {
  return runner.alive && (runner.named === "backup" || (runner.named === "primary" && runner.live));
}

/** A container is called after what it does. */
function statusOf<State>(
  pod: SimPod,
  state: State,
): { readonly name: string; readonly state: State } {
  return { name: pod.metadata.labels?.[labels.component] ?? "", state };
}
