/**
 * What a runner measures of itself: metrics for Prometheus, and the figures of its status. Take-overs
 * are counted in the record, since a counter in here dies with the process.
 */
import { Counter, Gauge, Histogram, Registry } from "prom-client";
import type { PairReport, PairState } from "../failover/pair-types.ts";
import { lagMsOf } from "../failover/primary-follower.ts";
import type { ChannelMessage } from "../logging-channel/messages.ts";
import type { NetworkCounters } from "../network/network-service.ts";
import type { ExecutorEvent, RunnerOutput } from "../replay/executor-protocol.ts";
import type { StepIndex } from "../replay/log-entry.ts";
import { RecentValues } from "./recent-values.ts";
import { roleOf, runnerRoles } from "./runner-role.ts";

const holdBucketsSeconds = [
  0.000_05, 0.000_1, 0.000_2, 0.000_3, 0.000_5, 0.000_75, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.01,
  0.02, 0.05, 0.1, 0.5,
];
const transferBucketsSeconds = [0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60];
/** Batches sent and not acknowledged whose time is remembered. */
const sentMax = 4_096;

/** Whether a console waited, the network, or somebody who wants to know what is in the log. */
const holdKinds: Readonly<Record<RunnerOutput["kind"], string>> = {
  console: "console",
  egress: "frames",
  accepted: "acceptance",
  ingressAccepted: "acceptance",
};

export class RunnerMeter {
  readonly registry = new Registry();
  readonly holdMs = new RecentValues();
  readonly frameHoldMs = new RecentValues();
  readonly lagMs = new RecentValues();
  readonly transfers = { finished: 0, failed: 0, pauseMs: 0, ms: 0, bytes: 0 };
  /** When the guest last came to live here, and after how long; null: it never did. */
  goLive: { readonly reason: string; readonly afterMs: number; readonly atMs: number } | null =
    null;
  step: StepIndex = -1;
  timeUs = 0;
  logBytes = 0;
  logEntries = 0;
  divergences = 0;
  badMessages = 0;
  /** The guest's frames that were not even held: more were than the bound allows. */
  heldFramesDropped = 0;
  #sent: { readonly last: StepIndex; readonly atMs: number }[] = [];
  #transferBytes = 0;
  readonly #hold: Histogram;
  readonly #roundTrip: Histogram;
  readonly #transferSeconds: Histogram;
  readonly #transferPause: Gauge;
  readonly #transferBytesTotal: Counter;

  constructor(state: () => PairState, network: () => NetworkCounters) {
    const registers = [this.registry];
    this.#hold = new Histogram({
      name: "lockstep_output_hold_seconds",
      help: "How long an output was held by the Output Rule",
      labelNames: ["kind"],
      buckets: holdBucketsSeconds,
      registers,
    });
    for (const kind of Object.values(holdKinds)) this.#hold.zero({ kind });
    this.#roundTrip = new Histogram({
      name: "lockstep_acknowledgement_seconds",
      help: "From sending a batch of log entries to its acknowledgement",
      buckets: holdBucketsSeconds,
      registers,
    });
    this.#transferSeconds = new Histogram({
      name: "lockstep_state_transfer_seconds",
      help: "From the request of a candidate until it executed the log",
      buckets: transferBucketsSeconds,
      registers,
    });
    this.#transferPause = new Gauge({
      name: "lockstep_state_transfer_pause_seconds",
      help: "How long the guest stood still at the last snapshot",
      registers,
    });
    this.#transferBytesTotal = new Counter({
      name: "lockstep_state_transfer_bytes_total",
      help: "Compressed bytes of snapshots sent",
      registers,
    });
    this.#gauges(state);
    this.#networkGauges(network);
  }

  onSent(message: ChannelMessage, bytes: number): void {
    if (message.kind !== "batch") return;
    this.#countLog(message.batch.count, bytes);
    if (message.batch.count === 0 || this.#sent.length >= sentMax) return;
    const last = message.batch.first + message.batch.count - 1;
    this.#sent.push({ last, atMs: performance.now() });
  }

  onReceived(message: ChannelMessage): void {
    if (message.kind === "batch") this.#countLog(message.batch.count, message.batch.bytes.length);
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
        this.goLive = { reason: report.reason, afterMs: report.afterMs, atMs: performance.now() };
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
        this.#transferBytes = 0;
        return;
      case "snapshotTaken":
        this.transfers.pauseMs = report.pauseMs;
        this.#transferPause.set(report.pauseMs / 1000);
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
      case "followerLost":
        if (report.reason.startsWith("diverged")) this.divergences++;
        this.#sent = [];
        return;
      default:
    }
  }

  #countLog(entries: number, bytes: number): void {
    this.logBytes += bytes;
    this.logEntries += entries;
  }

  #onAcknowledged(through: StepIndex): void {
    const nowMs = performance.now();
    while (this.#sent[0] !== undefined && this.#sent[0].last <= through) {
      this.#roundTrip.observe((nowMs - this.#sent[0].atMs) / 1000);
      this.#sent.shift();
    }
  }

  /** Read when they are scraped: what the state says anyway is not kept twice. */
  #gauges(state: () => PairState): void {
    const record = () => state().view.known;
    const follower = () => {
      const { role } = state();
      return role.kind === "primary" && role.follower !== null
        ? { role, mine: role.follower }
        : null;
    };
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name: `lockstep_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(value());
        },
      });
    gauge("epoch", "Epoch of the record", () => record()?.epoch ?? 0);
    gauge("takeovers", "Take-overs since the VM was made", () => record()?.takeovers ?? 0);
    gauge("step", "Last step recorded or executed", () => this.step);
    gauge("virtual_time_seconds", "The guest's clock", () => this.timeUs / 1e6);
    gauge("log_bytes", "Bytes of log sent or received", () => this.logBytes);
    gauge("log_entries", "Log entries sent or received", () => this.logEntries);
    gauge("divergences", "Divergences seen by this process", () => this.divergences);
    gauge("bad_messages", "Connections dropped for what they sent", () => this.badMessages);
    gauge("cpu_limit", "Share of time in which steps may run", () => {
      const { role } = state();
      return role.kind === "primary" ? role.cpuLimit : 1;
    });
    gauge("lag_entries", "Entries that the backup has yet to execute", () => {
      const paired = follower();
      return paired === null ? 0 : paired.role.log.next - 1 - paired.mine.executed;
    });
    gauge("lag_seconds", "Guest time by which the backup is behind", () => {
      const paired = follower();
      return paired === null ? 0 : lagMsOf(paired.role, paired.mine) / 1000;
    });
    new Gauge({
      name: "lockstep_role",
      help: "1 for the role that this runner has",
      labelNames: ["role"],
      registers: [this.registry],
      collect() {
        for (const role of runnerRoles) this.set({ role }, roleOf(state()) === role ? 1 : 0);
      },
    });
  }

  #networkGauges(network: () => NetworkCounters): void {
    const gauge = (name: string, help: string, value: (counters: NetworkCounters) => number) =>
      new Gauge({
        name: `lockstep_network_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(value(network()));
        },
      });
    gauge("attached", "1 if the gateway lets this runner's frames in", (n) => Number(n.attached));
    gauge("ingress_frames", "Frames that came for the guest", (n) => n.ingressFrames);
    gauge("ingress_bytes", "Bytes of frames that came for the guest", (n) => n.ingressBytes);
    gauge("ingress_dropped", "Frames for the guest beyond the bound", (n) => n.ingressDropped);
    gauge("egress_frames", "The guest's frames sent to the gateway", (n) => n.egressFrames);
    gauge("egress_bytes", "Bytes of the guest's frames sent", (n) => n.egressBytes);
    gauge("egress_dropped", "The guest's frames beyond a bound", (n) => {
      return n.egressDropped + this.heldFramesDropped;
    });
  }
}
