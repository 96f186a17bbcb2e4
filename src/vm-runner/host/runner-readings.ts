/** The runner's metrics that are read when Prometheus asks: from its state, and from its counters. */
import { ReadMetrics } from "../../platform/metrics.ts";
import type { FollowerOfMine, PairState } from "../failover/pair-types.ts";
import { type ExecutionLag, executionLagOf } from "../failover/primary-follower.ts";
import type { NetworkCounters } from "../network/network-service.ts";
import type { RunnerMeter } from "./runner-meter.ts";
import { roleOf, runnerRoles } from "./runner-role.ts";

/** What only a primary, or only a pair, can tell is absent everywhere else: 0 would be an answer. */
export function addRunnerReadings(
  meter: RunnerMeter,
  state: () => PairState,
  network: () => NetworkCounters,
): void {
  const metrics = new ReadMetrics(meter.registry, "lockstep_");
  addRole(metrics, state);
  addLog(metrics, meter, state);
  addTroubles(metrics, meter, state);
  addNetwork(metrics, meter, network);
}

function addRole(metrics: ReadMetrics, state: () => PairState): void {
  const record = () => state().view.known;
  metrics.gaugeBy("role", "role", "1 for the role that this runner has", () =>
    Object.fromEntries(runnerRoles.map((role) => [role, roleOf(state()) === role ? 1 : 0])),
  );
  metrics.gauge("live", "1 while the guest lives here", () => {
    const { role } = state();
    return role.kind === "primary" && role.live ? 1 : 0;
  });
  metrics.gauge("fault_tolerant", "At the primary: 1 while the record names a backup", () => {
    if (state().role.kind !== "primary") return null;
    return record()?.backup == null ? 0 : 1;
  });
  metrics.gauge("epoch", "Epoch of the record, as last seen", () => record()?.epoch ?? null);
  metrics.counter("takeovers_total", "Take-overs since the VM was made, from the record", () => {
    return record()?.takeovers ?? null;
  });
}

function addLog(metrics: ReadMetrics, meter: RunnerMeter, state: () => PairState): void {
  metrics.counter(
    "steps_total",
    "Steps of the guest up to the last one recorded or executed",
    () => {
      return meter.step + 1;
    },
  );
  const clock = "The guest's clock, which begins with the VM";
  metrics.counter("virtual_time_seconds_total", clock, () => meter.timeUs / 1e6);
  metrics.counterBy("direction", "log_bytes_total", "Bytes of log sent or received", () => {
    return { sent: meter.log.sentBytes, received: meter.log.receivedBytes };
  });
  metrics.counterBy("direction", "log_entries_total", "Log entries sent or received", () => {
    return { sent: meter.log.sentEntries, received: meter.log.receivedEntries };
  });
  const lag = "At the primary of a pair: guest time by which the backup is behind in executing";
  metrics.gauge("execution_lag_seconds", lag, () => {
    const ms = lagIn(state())?.ms;
    return ms === undefined ? null : ms / 1000;
  });
  const entries = "At the primary of a pair: log entries that the backup has yet to execute";
  metrics.gauge("execution_lag_entries", entries, () => {
    return lagIn(state())?.entries ?? null;
  });
  const target = "Lag above which the primary is slowed, as this machine is configured";
  metrics.gauge("lag_target_seconds", target, () => state().config.timings.lagTargetMs / 1000);
  const limit =
    "At the primary: share of time in which steps may run; below 1 the backup is waited for";
  metrics.gauge("cpu_limit_ratio", limit, () => {
    const { role } = state();
    return role.kind === "primary" ? role.cpuLimit : null;
  });
}

function addTroubles(metrics: ReadMetrics, meter: RunnerMeter, state: () => PairState): void {
  const age = "Since the last heartbeat of the other half, while there is one";
  metrics.gauge("heartbeat_age_seconds", age, () => {
    const { role } = state();
    const watch = role.kind === "follower" ? role.watch : followerOf(state())?.watch;
    if (watch === undefined) return null;
    return Math.max(0, performance.now() - watch.heartbeatMs) / 1000;
  });
  const timeout =
    "Silence after which the other half counts as lost, as this machine is configured";
  metrics.gauge("failure_timeout_seconds", timeout, () => {
    return state().config.timings.failureTimeoutMs / 1000;
  });
  const suspicions = "How often this runner lost the other half, or believed so";
  metrics.counter("suspicions_total", suspicions, () => meter.suspicions);
  const divergences = "Divergences seen by this process";
  metrics.counter("divergences_total", divergences, () => meter.divergences);
  const refusals = "Candidates refused, because they cannot execute the guest in lockstep";
  metrics.counter("candidates_refused_total", refusals, () => meter.refusals);
  const bad = "Connections dropped for what they sent, or for a wrong key";
  metrics.counter("bad_messages_total", bad, () => meter.badMessages);
  metrics.gauge("state_transfer_running", "1 while a snapshot is taken or sent", () => {
    const phase = followerOf(state())?.phase.kind;
    return phase === "snapshot" || phase === "streaming" ? 1 : 0;
  });
  const failed = "State transfers that were broken off, seen from the primary or the candidate";
  metrics.counter("state_transfer_failures_total", failed, () => meter.transfers.failed);
}

function addNetwork(
  metrics: ReadMetrics,
  meter: RunnerMeter,
  network: () => NetworkCounters,
): void {
  metrics.gauge("network_attached", "1 if the gateway lets this runner's frames in", () => {
    return network().attached ? 1 : 0;
  });
  const frames = "Frames that came for the guest (ingress), and the guest's own sent (egress)";
  metrics.counterBy("direction", "network_frames_total", frames, () => {
    const { ingressFrames, egressFrames } = network();
    return { ingress: ingressFrames, egress: egressFrames };
  });
  metrics.counterBy("direction", "network_bytes_total", "Their bytes", () => {
    const { ingressBytes, egressBytes } = network();
    return { ingress: ingressBytes, egress: egressBytes };
  });
  const dropped = "Frames dropped at a bound";
  metrics.counterBy("direction", "network_dropped_frames_total", dropped, () => {
    const { ingressDropped, egressDropped } = network();
    return { ingress: ingressDropped, egress: egressDropped + meter.heldFramesDropped };
  });
}

/** Null: this is no primary, or it is alone. */
function lagIn({ role }: PairState): ExecutionLag | null {
  return role.kind === "primary" ? executionLagOf(role) : null;
}

function followerOf({ role }: PairState): FollowerOfMine | null {
  return role.kind === "primary" ? role.follower : null;
}
