/** The runner's HTTP side: probes, metrics and status; the power switch where nothing else serves it. */
import { createServer, type Server } from "node:http";
import express from "express";
import type { NetworkStatus, RunnerStatus } from "../../shared/protocol/status.ts";
import type { PairState } from "../failover/pair-types.ts";
import { executionLagOf } from "../failover/primary-follower.ts";
import type { NetworkCounters } from "../network/network-service.ts";
import type { Address } from "../wire/endpoint.ts";
import { powerSwitch } from "./power-switch.ts";
import type { RunnerMeter } from "./runner-meter.ts";
import { roleOf } from "./runner-role.ts";

export interface RunnerHttpOptions {
  readonly listen: Address;
  readonly name: string;
  readonly state: () => PairState;
  readonly network: () => NetworkCounters;
  readonly meter: RunnerMeter;
  /** Null: orders have a port of their own (control-server.ts), and this one only reads. */
  readonly onPowerOff: (() => void) | null;
}

/** Resolves when it serves; rejects with the system's error when the address cannot be had. */
export function startRunnerHttp(options: RunnerHttpOptions): Promise<Server> {
  const { listen, state, meter, onPowerOff } = options;
  meter.identify(state().config.vm, options.name);
  const app = express();
  app.disable("x-powered-by");
  app.get("/healthz", (_request, response) => void response.send("ok\n"));
  app.get("/readyz", (_request, response) => {
    const role = roleOf(state());
    const ready = role === "backup" || (role === "primary" && isLive(state()));
    response.status(ready ? 200 : 503).send(`${role}\n`);
  });
  app.get("/status", (_request, response) => void response.json(statusOf(options)));
  app.get("/metrics", async (_request, response) => {
    response.type(meter.registry.contentType).send(await meter.registry.metrics());
  });
  if (onPowerOff !== null) app.post("/poweroff", powerSwitch({ state, onPowerOff }));
  const server = createServer(app);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => resolve(server));
  });
}

function isLive({ role }: PairState): boolean {
  return role.kind === "primary" && role.live;
}

function statusOf({ name, state, network, meter }: RunnerHttpOptions): RunnerStatus {
  const now = state();
  const { role, view, config } = now;
  const primary = role.kind === "primary" ? role : null;
  const follower = primary?.follower ?? null;
  const lag = primary === null ? null : executionLagOf(primary);
  const { finished, failed, pauseMs, ms, bytes } = meter.transfers;
  const phase = follower?.phase.kind;
  return {
    vm: config.vm,
    name,
    nonce: config.nonce,
    pid: process.pid,
    role: roleOf(now),
    live: primary?.live ?? false,
    epoch: view.known?.epoch ?? null,
    primary: view.known?.primary ?? null,
    backup: view.known?.backup ?? null,
    takeovers: view.known?.takeovers ?? 0,
    lastGoLive: goLiveStatus(meter),
    step: meter.step,
    virtualMs: meter.timeUs / 1000,
    lagEntries: lag?.entries ?? 0,
    lagMs: lag?.ms ?? 0,
    recentLagMs: meter.lagMs.quantiles(),
    logBytes: meter.logBytes,
    logEntries: meter.logEntries,
    cpuLimit: primary?.cpuLimit ?? 1,
    outputHoldMs: meter.holdMs.quantiles(),
    network: networkStatus(network(), meter),
    transfers: {
      running: phase === "snapshot" || phase === "streaming",
      finished,
      failed,
      lastPauseMs: pauseMs,
      lastMs: ms,
      lastBytes: bytes,
    },
    divergences: meter.divergences,
    badMessages: meter.badMessages,
  };
}

function goLiveStatus({ goLive }: RunnerMeter): RunnerStatus["lastGoLive"] {
  if (goLive === null) return null;
  const { reason, afterMs, atMs } = goLive;
  return { reason, afterMs, agoMs: performance.now() - atMs };
}

function networkStatus(counters: NetworkCounters, meter: RunnerMeter): NetworkStatus {
  const egressDropped = counters.egressDropped + meter.heldFramesDropped;
  return { ...counters, egressDropped, holdMs: meter.frameHoldMs.quantiles() };
}
