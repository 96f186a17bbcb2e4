/**
 * Asks the runners how they are: each about every five seconds, and at once when its pod or its VM's
 * record has changed. All together are asked at most a hundred times a second, so that with many machines
 * each is asked less often; who does not answer is asked ever more rarely.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RunnerStatus } from "../../shared/protocol/status.ts";
import { ports } from "../api/names.ts";
import type { Entry, ObjectCache } from "./object-cache.ts";
import type { KeptPod } from "./observed.ts";
import { coarseReport, isPassing } from "./report-change.ts";
import type { askRunner } from "./runner-report.ts";

export interface PollerOptions {
  readonly pods: ObjectCache<KeptPod>;
  readonly ask: typeof askRunner;
  /** A report changed in a way that may change a plan. */
  readonly onVm: (vm: string) => void;
  readonly onRead: (answered: boolean) => void;
  readonly random: () => number;
}

interface Subject {
  report: RunnerStatus | null;
  coarse: string;
  /** In a row. */
  failures: number;
  dueMs: number;
  asking: boolean;
}

const tickMs = 200;
const tickMsMin = 20;
const periodMs = 5_000;
/** While something passes, such as a state transfer. */
const hurriedMs = 1_000;
/** Of all runners together: 100 a second. */
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

  /** The VM's runners are asked at once. */
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
      if (!isAskable(entry)) continue;
      there.add(entry.uid);
      const subject = this.#subjects.get(entry.uid) ?? freshSubject();
      this.#subjects.set(entry.uid, subject);
      if (subject.asking || subject.dueMs > nowMs || this.#asking >= askingMax) continue;
      subject.asking = true;
      this.#asking += 1;
      void this.#ask(entry, subject);
    }
    for (const uid of this.#subjects.keys()) if (!there.has(uid)) this.#subjects.delete(uid);
  }

  async #ask(entry: Entry<KeptPod>, subject: Subject): Promise<void> {
    const { ask, onRead, onVm, random } = this.#options;
    const { owner, pod } = entry.value;
    const askedDueMs = subject.dueMs;
    const report = await ask({ host: pod.ip ?? "", port: ports.http, timeoutMs, vm: owner });
    this.#asking -= 1;
    subject.asking = false;
    onRead(report !== null);
    subject.failures = report === null ? subject.failures + 1 : 0;
    if (report !== null || subject.failures >= failuresBelieved) subject.report = report;
    // Whoever was hastened meanwhile is asked again.
    if (subject.dueMs === askedDueMs) {
      subject.dueMs = performance.now() + this.#pauseMs(subject) * (0.8 + 0.4 * random());
    }
    const coarse = coarseReport(subject.report);
    if (coarse === subject.coarse) return;
    subject.coarse = coarse;
    if (entry.vm !== null) onVm(entry.vm);
  }

  #pauseMs({ failures, report }: Subject): number {
    if (failures > 0) return Math.min(hurriedMs * 2 ** (failures - 1), periodMsMax);
    if (report !== null && isPassing(report)) return hurriedMs;
    return Math.max(periodMs, this.#subjects.size * spacingMs);
  }
}

function isAskable({ value: { pod } }: Entry<KeptPod>): boolean {
  const runs = pod.phase === "Running" && pod.terminated === null && pod.ip !== null;
  return pod.component === "runner" && runs;
}

function freshSubject(): Subject {
  return { report: null, coarse: coarseReport(null), failures: 0, dueMs: 0, asking: false };
}
