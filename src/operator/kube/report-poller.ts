/**
 * Asks the runners how they are: each about every five seconds (one in which the guest lives more often,
 * since nobody else sees soon that its gateway is gone), and at once when its pod or its VM's record has
 * changed. Gateways are asked only while something may be wrong: one that is ready has a runner, unless
 * the primary says otherwise. All together are asked about a hundred times a second at most, so that
 * with many machines each is asked less often; who does not answer is asked ever more rarely.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import { podOfNonce, ports } from "../api/names.ts";
import type { Attachment, ObservedPod } from "../reconcile/observation.ts";
import type { Entry, ObjectCache } from "./object-cache.ts";
import type { KeptPod } from "./observed.ts";
import { coarseReport, isDetached, isPassing } from "./report-change.ts";
import type { askGateway, askRunner } from "./runner-report.ts";

export interface PollerOptions {
  readonly pods: ObjectCache<KeptPod>;
  readonly askRunner: typeof askRunner;
  readonly askGateway: typeof askGateway;
  /** A report changed in a way that may change a plan. */
  readonly onVm: (vm: string) => void;
  readonly onRead: (answered: boolean) => void;
  readonly random: () => number;
}

interface Subject {
  readonly component: ObservedPod["component"];
  /** Of a runner. */
  report: RunnerStatus | null;
  /** Since when a runner has been saying that no gateway lets its guest in; null: it does not say so. */
  detachedSinceMs: number | null;
  /** Of a gateway: a runner is attached. Null: it does not answer; undefined: not asked yet. */
  attached: boolean | null | undefined;
  coarse: string;
  /** In a row. */
  failures: number;
  dueMs: number;
  asking: boolean;
}

const tickMs = 200;
const tickMsMin = 20;
const periodMs = 5_000;
const urgentPeriodMs = 2_000;
/** While something passes, such as a state transfer. */
const hurriedMs = 1_000;
/** A guest without a gateway for so long waits for something that takes its time. */
const hurriedDetachedMsMax = 60_000;
/** Of all together: 100 a second. */
const spacingMs = 10;
const periodMsMax = 60_000;
const timeoutMs = 1_000;
const askingMax = 64;
/** One lost answer says nothing. */
const failuresBelieved = 2;

export class ReportPoller {
  readonly #options: PollerOptions;
  /** By the pod's uid. */
  readonly #subjects = new Map<string, Subject>();
  #asking = 0;
  #wake: AbortController | null = null;

  constructor(options: PollerOptions) {
    this.#options = options;
  }

  reportOf(podUid: string): RunnerStatus | null {
    return this.#subjects.get(podUid)?.report ?? null;
  }

  attachmentOf(podUid: string): Attachment {
    const subject = this.#subjects.get(podUid);
    if (subject === undefined) return {};
    const { attached, detachedSinceMs: sinceMs, failures } = subject;
    // Who does not answer may have been let in meanwhile.
    const isDetachedNow = sinceMs !== null && failures === 0;
    return {
      ...(attached !== undefined && { attached }),
      ...(isDetachedNow && { detachedMs: performance.now() - sinceMs }),
    };
  }

  /** The VM's pods are asked at once. */
  hasten(vm: string): void {
    for (const { uid } of this.#options.pods.ofVm(vm)) {
      const subject = this.#subjects.get(uid);
      if (subject !== undefined) subject.dueMs = 0;
    }
    this.#wake?.abort();
  }

  /** Until `signal`. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#tick();
      // However much changes: not at every change.
      await sleep(tickMsMin);
      this.#wake = new AbortController();
      const until = AbortSignal.any([signal, this.#wake.signal]);
      await sleep(tickMs, undefined, { signal: until }).catch(() => {});
    }
  }

  #tick(): void {
    const nowMs = performance.now();
    const there = new Set<string>();
    for (const entry of this.#options.pods.all()) {
      if (!this.#isAskable(entry)) continue;
      there.add(entry.uid);
      const subject = this.#subjects.get(entry.uid) ?? freshSubject(entry.value.pod);
      this.#subjects.set(entry.uid, subject);
      if (subject.asking || subject.dueMs > nowMs || this.#asking >= askingMax) continue;
      subject.asking = true;
      this.#asking += 1;
      void this.#ask(entry, subject);
    }
    for (const uid of this.#subjects.keys()) if (!there.has(uid)) this.#subjects.delete(uid);
  }

  #isAskable({ vm, value: { pod } }: Entry<KeptPod>): boolean {
    const runs = pod.phase === "Running" && pod.terminated === null && pod.ip !== null;
    if (!runs || pod.component === "runner") return runs;
    return !pod.ready || (vm !== null && this.#misses(vm));
  }

  /** Its guest misses a gateway. */
  #misses(vm: string): boolean {
    const pods = this.#options.pods.ofVm(vm);
    return pods.some(({ uid }) => (this.#subjects.get(uid)?.detachedSinceMs ?? null) !== null);
  }

  async #ask(entry: Entry<KeptPod>, subject: Subject): Promise<void> {
    const { onRead, onVm, random } = this.#options;
    const { owner, pod } = entry.value;
    // Nothing else gives it a time before the answer: whoever has one then was hastened meanwhile.
    subject.dueMs = Number.POSITIVE_INFINITY;
    const question = { host: pod.ip ?? "", port: ports.http, timeoutMs, vm: owner };
    const answered =
      subject.component === "runner"
        ? await this.#askRunner(question, subject, entry)
        : await this.#askGateway(question, subject);
    this.#asking -= 1;
    subject.asking = false;
    onRead(answered);
    if (subject.dueMs === Number.POSITIVE_INFINITY) {
      subject.dueMs = performance.now() + this.#pauseMs(subject) * (0.8 + 0.4 * random());
    }
    const coarse = `${coarseReport(subject.report)} ${subject.attached}`;
    if (coarse === subject.coarse) return;
    subject.coarse = coarse;
    if (entry.vm !== null) onVm(entry.vm);
  }

  async #askRunner(
    question: Parameters<typeof askRunner>[0],
    subject: Subject,
    { vm, value }: Entry<KeptPod>,
  ): Promise<boolean> {
    const said = await this.#options.askRunner(question);
    // Another runner of the machine may have the address by now of one that is gone.
    const report = said !== null && podOfNonce(said.nonce) === value.pod.name ? said : null;
    subject.failures = report === null ? subject.failures + 1 : 0;
    if (report !== null || subject.failures >= failuresBelieved) subject.report = report;
    if (report !== null) {
      const detached = isDetached(report) && vm !== null && this.#hasGateway(vm);
      subject.detachedSinceMs = detached ? (subject.detachedSinceMs ?? performance.now()) : null;
    }
    return report !== null;
  }

  /** One lost answer counts: beside a guest that misses the gateway it is the second witness. */
  async #askGateway(
    question: Parameters<typeof askGateway>[0],
    subject: Subject,
  ): Promise<boolean> {
    const said = await this.#options.askGateway(question);
    subject.failures = said === null ? subject.failures + 1 : 0;
    subject.attached = said === null ? null : said.attached !== null;
    return said !== null;
  }

  #hasGateway(vm: string): boolean {
    return this.#options.pods.ofVm(vm).some(({ value }) => value.pod.component === "gateway");
  }

  #pauseMs({ failures, report, detachedSinceMs, attached }: Subject): number {
    if (failures > 0) return Math.min(hurriedMs * 2 ** (failures - 1), periodMsMax);
    if (report !== null && isPassing(report)) return hurriedMs;
    const sinceMs = detachedSinceMs ?? Number.NEGATIVE_INFINITY;
    if (performance.now() - sinceMs < hurriedDetachedMsMax) return hurriedMs;
    const isUrgent = report?.role === "primary" || attached === false;
    return Math.max(isUrgent ? urgentPeriodMs : periodMs, this.#subjects.size * spacingMs);
  }
}

function freshSubject({ component }: Pick<ObservedPod, "component">): Subject {
  return {
    ...{ component, report: null, detachedSinceMs: null, attached: undefined },
    ...{ coarse: " undefined", failures: 0, dueMs: 0, asking: false },
  };
}
