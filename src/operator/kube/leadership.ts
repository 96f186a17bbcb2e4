/** The Lease of the operator itself: asked for, renewed, given back. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Logger } from "../../platform/logging.ts";
import { microTime } from "../../platform/micro-time.ts";
import type { KubernetesApi, RawObject } from "./kubernetes-api.ts";
import { apiErrorCode } from "./kubernetes-api-error.ts";
import {
  afterGrant,
  afterReading,
  type ElectionLease,
  type ElectionState,
  type ElectionTimes,
  electLeader,
  isLeading,
  startElection,
} from "./leader-election.ts";
import { collectionPath, objectPath } from "./resources.ts";

interface RawLease extends RawObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly leaseTransitions?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
  };
}

export interface LeadershipOptions {
  /** Not gated: the one thing that somebody who does not lead may write. */
  readonly api: KubernetesApi;
  readonly namespace: string;
  readonly name: string;
  /** Of no other process, ever. */
  readonly self: string;
  readonly times: ElectionTimes;
  readonly log: Logger;
}

export class Leadership {
  readonly #options: LeadershipOptions;
  #state: ElectionState;
  /** As last read or written. */
  #raw: RawLease | null = null;
  /** It is given back, and not asked for again. */
  #released = false;
  /** The attempt to have or to renew it that is under way, or the last one. */
  #attempt: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#state = startElection(options.self, options.times);
  }

  /** May this process act at this moment? */
  get holds(): boolean {
    return !this.#released && isLeading(this.#state, performance.now());
  }

  /** Until it leads; false: `signal` came first. */
  async acquire(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      await this.#next();
      if (this.holds) return true;
      await this.#pause(signal);
    }
    return false;
  }

  /** Renews until it has lost it, or until `signal`. */
  async keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#pause(signal);
      if (signal.aborted) return;
      await this.#next();
      if (electLeader(this.#state, performance.now()).kind === "lost") return;
    }
  }

  /** So that the next one need not wait. Whatever fails, the Lease ends by itself. */
  async release(): Promise<void> {
    this.#released = true;
    await this.#attempt.catch(() => {});
    for (const tries of [2, 1]) {
      try {
        if (this.#raw?.spec?.holderIdentity !== this.#options.self) return;
        const spec = { ...this.#raw.spec, holderIdentity: "", leaseDurationSeconds: 1 };
        this.#raw = await this.#replace({ ...this.#raw, spec });
        return;
      } catch (error) {
        // A renewal that was under way may have come first.
        if (tries > 1) await this.#read().catch(() => {});
        else this.#options.log.warn({ err: error }, "the Lease of the operator was not given back");
      }
    }
  }

  async #pause(signal: AbortSignal): Promise<void> {
    await sleep(this.#options.times.retryMs, undefined, { signal }).catch(() => {});
  }

  #next(): Promise<void> {
    this.#attempt = this.#try();
    return this.#attempt;
  }

  /** One read if that is needed, and one write. Whatever fails is tried again later. */
  async #try(): Promise<void> {
    if (this.#released) return;
    const begunMs = performance.now();
    try {
      const leads = this.holds;
      if (!leads) await this.#read();
      await this.#write(begunMs);
    } catch (error) {
      const code = apiErrorCode(error);
      if (code === null) throw error;
      this.#options.log.debug({ err: error }, "the Lease of the operator could not be had");
      // Somebody was faster: who it was shows when it is read.
      if (code !== "unavailable") await this.#read().catch(() => {});
    }
  }

  async #write(begunMs: number): Promise<void> {
    const wish = electLeader(this.#state, performance.now());
    if (wish.kind !== "create" && wish.kind !== "take" && wish.kind !== "renew") return;
    const { namespace, name, self, times } = this.#options;
    const now = microTime(new Date());
    const before = this.#raw?.spec;
    const taken = wish.kind === "renew" ? {} : { acquireTime: now };
    const spec = {
      ...{ ...before, ...taken, holderIdentity: self, renewTime: now },
      leaseDurationSeconds: times.durationMs / 1_000,
      leaseTransitions: (before?.leaseTransitions ?? 0) + (wish.kind === "take" ? 1 : 0),
    };
    const written =
      wish.kind === "create" || this.#raw === null
        ? await this.#create({ metadata: { name, namespace }, spec })
        : await this.#replace({ ...this.#raw, spec });
    this.#raw = written;
    this.#state = afterGrant(this.#state, this.#leaseOf(written), begunMs, performance.now());
  }

  async #read(): Promise<void> {
    const { api, namespace, name, times } = this.#options;
    const path = objectPath("Lease", namespace, name);
    try {
      this.#raw = await api.send<RawLease>({ method: "GET", path, timeoutMs: times.retryMs });
    } catch (error) {
      if (apiErrorCode(error) !== "not found") throw error;
      this.#raw = null;
    }
    const lease = this.#raw === null ? null : this.#leaseOf(this.#raw);
    this.#state = afterReading(this.#state, lease, performance.now());
  }

  async #create(lease: object): Promise<RawLease> {
    const { api, namespace, times } = this.#options;
    const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...lease };
    const path = collectionPath("Lease", namespace);
    return await api.send({ method: "POST", path, body, timeoutMs: times.retryMs });
  }

  async #replace(body: RawLease): Promise<RawLease> {
    const { api, namespace, name, times } = this.#options;
    const path = objectPath("Lease", namespace, name);
    return await api.send({ method: "PUT", path, body, timeoutMs: times.retryMs });
  }

  #leaseOf({ metadata, spec }: RawLease): ElectionLease {
    const seconds = spec?.leaseDurationSeconds ?? this.#options.times.durationMs / 1_000;
    const holder = spec?.holderIdentity || null;
    return { holder, version: metadata.resourceVersion, durationMs: seconds * 1_000 };
  }
}
