/**
 * What a runner measures of itself: metrics for Prometheus, and the figures of its status. Take-overs
 * are counted in the record, since a counter in here dies with the process.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { addProcessMetrics } from "../../platform/metrics.ts";
import { productVersion } from "../../platform/version.ts";
import type { PairReport, PairState } from "../failover/pair-types.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import type { NetworkCounters } from "../network/network-service.ts";
import type { ExecutorEvent, RunnerOutput } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";
import { RecentValues } from "./recent-values.ts";
import { addRunnerReadings } from "./runner-readings.ts";

const holdBucketsSeconds = [
  0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.000_75, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01,
  0.02, 0.05, 0.1, 0.5, 1, 2, 5,
];
const goLiveBucketsSeconds = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2.5, 5, 10, 30];
const transferBucketsSeconds = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 120];
const pauseBucketsSeconds = [0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 5];
/** Batches sent and not acknowledged whose time is remembered. */
const sentMax = 4_096;

/** Whether a console waited, the network, or somebody who wants to know what is in the log. */
const holdKinds: Readonly<Record<RunnerOutput["kind"], string>> = {
  console: "console",
  egress: "frames",
  accepted: "acceptance",
  ingressAccepted: "acceptance",
};

/** How a guest came to run here: a first life, a planned hand-over, or a take-over. */
const goLiveCauses = ["start", "handover", "takeover"] as const;

export class RunnerMeter {
  readonly registry = new Registry();
  readonly holdMs = new RecentValues();
  readonly frameHoldMs = new RecentValues();
  readonly lagMs = new RecentValues();
  readonly transfers = { finished: 0, failed: 0, pauseMs: 0, ms: 0, bytes: 0 };
  readonly log = { sentBytes: 0, sentEntries: 0, receivedBytes: 0, receivedEntries: 0 };
  step: StepIndex = -1;
  timeUs = 0;
  divergences = 0;
  badMessages = 0;
  /** When the guest last came to live here, and after how long; null: it never did. */
  goLive: { readonly reason: string; readonly afterMs: number; readonly atMs: number } | null =
    null;
  /** Other halves that were lost, or suspected to be. */
  suspicions = 0;
  /** Candidates that cannot execute the same guest in lockstep. */
  refusals = 0;
  /** The guest's frames that were not even held: more were than the bound allows. */
  heldFramesDropped = 0;
  #sent: { readonly last: StepIndex; readonly atMs: number }[] = [];
  #transferBytes = 0;
  readonly #info: Gauge;
  readonly #hold: Histogram;
  readonly #roundTrip: Histogram;
  readonly #goLiveSeconds: Histogram;
  readonly #transferSeconds: Histogram;
  readonly #transferPause: Histogram;
  readonly #transferBytesTotal: Counter;

  constructor(state: () => PairState, network: () => NetworkCounters) {
    const { registry } = this;
    const named = (name: string, help: string) => ({
      ...{ name: `lockstep_${name}`, help, registers: [registry] },
    });
    this.#info = new Gauge({
      ...named("runner_info", "1; version of this runner, and the id and the name of its VM"),
      labelNames: ["version", "vm_id", "vm_name"],
    });
    this.#hold = new Histogram({
      ...named("output_hold_seconds", "How long an output was held by the Output Rule"),
      labelNames: ["kind"],
      buckets: holdBucketsSeconds,
    });
    for (const kind of Object.values(holdKinds)) this.#hold.zero({ kind });
    this.#roundTrip = new Histogram({
      ...named("acknowledgement_seconds", "From sending log entries to their acknowledgement"),
      buckets: holdBucketsSeconds,
    });
    this.#goLiveSeconds = new Histogram({
      ...named("go_live_seconds", "From the decision that the guest is to run here until it does"),
      labelNames: ["cause"],
      buckets: goLiveBucketsSeconds,
    });
    for (const cause of goLiveCauses) this.#goLiveSeconds.zero({ cause });
    this.#transferSeconds = new Histogram({
      ...named("state_transfer_seconds", "From a candidate's request until it executed the log"),
      buckets: transferBucketsSeconds,
    });
    this.#transferPause = new Histogram({
      ...named("state_transfer_pause_seconds", "How long the guest stood still at a snapshot"),
      buckets: pauseBucketsSeconds,
    });
    this.#transferBytesTotal = new Counter(
      named("state_transfer_bytes_total", "Compressed bytes of snapshots sent"),
    );
    addRunnerReadings(this, state, network);
    addProcessMetrics(registry);
  }

  /** Once it is known who this runner is. `name`: of the VM, as its user calls it. */
  identify(vm: string, name: string): void {
    this.#info.set({ version: productVersion(), vm_id: vm, vm_name: name }, 1);
  }

  /** Sent and received: a runner does mostly one of the two. */
  get logBytes(): number {
    return this.log.sentBytes + this.log.receivedBytes;
  }

  get logEntries(): number {
    return this.log.sentEntries + this.log.receivedEntries;
  }

  onSent(message: ChannelMessage, bytes: number): void {
    if (message.kind !== "batch") return;
    const { first, count } = message.batch;
    this.log.sentBytes += bytes;
    this.log.sentEntries += count;
    if (count === 0 || this.#sent.length >= sentMax) return;
    this.#sent.push({ last: first + count - 1, atMs: performance.now() });
  }

  onReceived(message: ChannelMessage): void {
    if (message.kind !== "batch") return;
    this.log.receivedBytes += message.batch.bytes.length;
    this.log.receivedEntries += message.batch.count;
  }

  onChunkSent(bytes: number): void {
    this.#transferBytes += bytes;
    this.#transferBytesTotal.inc(bytes);
  }

  onRelease(output: RunnerOutput, heldMs: number): void {
    this.holdMs.add(heldMs);
    if (output.kind === "egress") this.frameHoldMs.add(heldMs);
    this.#hold.observe({ kind: holdKinds[output.kind] }, heldMs / 1000);
  }

  onExecutor(event: ExecutorEvent): void {
    if (event.kind === "recorded") {
      this.step = event.batch.first + event.batch.count - 1;
      this.timeUs = event.batch.timeUs;
    }
    if (event.kind === "executed") {
      this.step = event.index;
      this.timeUs = event.timeUs;
    }
    if (event.kind === "diverged") this.divergences++;
  }

  onBadPeer(): void {
    this.badMessages++;
  }

  onReport(report: PairReport): void {
    switch (report.kind) {
      case "acknowledged":
        this.#onAcknowledged(report.through);
        return;
      case "live":
        this.#sent = [];
        this.goLive = { reason: report.reason, afterMs: report.afterMs, atMs: performance.now() };
        this.#goLiveSeconds.observe({ cause: causeOf(report.reason) }, report.afterMs / 1000);
        return;
      case "paired":
        // What it had to catch up with says nothing of the backup that it is now.
        this.lagMs.clear();
        return;
      case "lag":
        this.lagMs.add(report.ms);
        return;
      case "egressDropped":
        this.heldFramesDropped += report.frames;
        return;
      case "badMessage":
        this.badMessages++;
        return;
      case "transferStarted":
        // What the last backup has not acknowledged, this one will not.
        this.#sent = [];
        this.#transferBytes = 0;
        return;
      case "snapshotTaken":
        this.transfers.pauseMs = report.pauseMs;
        this.#transferPause.observe(report.pauseMs / 1000);
        return;
      case "transferFinished":
        this.transfers.finished++;
        this.transfers.ms = report.ms;
        this.transfers.bytes = this.#transferBytes;
        this.#transferSeconds.observe(report.ms / 1000);
        return;
      case "transferFailed":
        this.transfers.failed++;
        return;
      case "suspected":
        this.suspicions++;
        return;
      case "followerRefused":
        this.refusals++;
        return;
      case "followerLost":
        this.suspicions++;
        if (report.reason.startsWith("diverged")) this.divergences++;
        this.#sent = [];
        return;
      default:
    }
  }

  #onAcknowledged(through: StepIndex): void {
    const nowMs = performance.now();
    while (this.#sent[0] !== undefined && this.#sent[0].last <= through) {
      this.#roundTrip.observe((nowMs - this.#sent[0].atMs) / 1000);
      this.#sent.shift();
    }
  }
}

/** Whoever takes over says what became of the primary; the two other ways have one word each. */
function causeOf(reason: string): (typeof goLiveCauses)[number] {
  if (reason === "started" || reason === "restarted") return "start";
  return reason === "handed over" ? "handover" : "takeover";
}
