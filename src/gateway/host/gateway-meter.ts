/** The gateway's metrics for Prometheus, read from its parts when they are scraped. */
import { Registry } from "prom-client";
import { addProcessMetrics, ReadMetrics } from "../../platform/metrics.ts";
import { productVersion } from "../../platform/version.ts";
import type { Gateway } from "../gateway.ts";
import type { Gvproxy } from "./gvproxy.ts";
import type { ReadinessProbe } from "./readiness-probe.ts";

/** As far as they are measured. */
export interface MeasuredParts {
  readonly gateway: Pick<Gateway, "counters" | "epoch" | "attached" | "inFlight">;
  readonly gvproxy: Pick<Gvproxy, "pid" | "restarts" | "queuedBytes">;
  /** Null: nobody asked for one. */
  readonly probe: Pick<ReadinessProbe, "ready"> | null;
}

export interface GatewayParts extends MeasuredParts {
  readonly gateway: Gateway;
  readonly gvproxy: Gvproxy;
  readonly probe: ReadinessProbe | null;
}

export class GatewayMeter {
  readonly registry = new Registry();
  egressForbidden = 0;
  attachments = 0;
  /** Connections dropped for what they sent, or for a wrong key. */
  badPeers = 0;
  readonly #metrics = new ReadMetrics(this.registry, "lockstep_gateway_");

  /** Once everything is there. */
  read(parts: MeasuredParts): void {
    this.#traffic(parts);
    this.#events(parts);
    this.#levels(parts);
    addProcessMetrics(this.registry);
  }

  identify(vm: string): void {
    const help = "1; version of this gateway, and the id of its VM";
    this.#metrics.info("info", help, { version: productVersion(), vm_id: vm });
  }

  #traffic({ gateway }: MeasuredParts): void {
    const frames = "Frames for the guest (ingress) and of it (egress)";
    this.#metrics.counterBy("direction", "frames_total", frames, () => {
      const { ingressFrames, egressFrames } = gateway.counters;
      return { ingress: ingressFrames, egress: egressFrames };
    });
    this.#metrics.counterBy("direction", "bytes_total", "Their bytes", () => {
      const { ingressBytes, egressBytes } = gateway.counters;
      return { ingress: ingressBytes, egress: egressBytes };
    });
    this.#metrics.counterBy("reason", "dropped_frames_total", "Frames dropped, by why", () => {
      const { counters } = gateway;
      return {
        ingress_full: counters.ingressDropped,
        ingress_expired: counters.ingressExpired,
        egress_full: counters.egressDropped,
        egress_forbidden: this.egressForbidden,
        egress_fenced: counters.egressFenced,
        egress_repeated: counters.egressRepeated,
        malformed: counters.malformed,
      };
    });
  }

  #events({ gateway, gvproxy }: MeasuredParts): void {
    const counter = (name: string, help: string, read: () => number) =>
      this.#metrics.counter(`${name}_total`, help, read);
    counter("attachments", "Runners that were attached", () => this.attachments);
    counter("failovers", "Times that another runner's frames began to count", () => {
      return gateway.counters.failovers;
    });
    counter("gvproxy_restarts", "Times that gvproxy was started again", () => gvproxy.restarts);
    counter("bad_peers", "Connections dropped for what they sent, or for a wrong key", () => {
      return this.badPeers;
    });
  }

  #levels({ gateway, gvproxy, probe }: MeasuredParts): void {
    const gauge = (name: string, help: string, read: () => number | null) =>
      this.#metrics.gauge(name, help, read);
    gauge("epoch", "Newest epoch known", () => gateway.epoch);
    gauge("attached", "1 while a runner's frames count", () => (gateway.attached ? 1 : 0));
    gauge("gvproxy_running", "1 while gvproxy runs", () => (gvproxy.pid === null ? 0 : 1));
    gauge("in_flight_frames", "Frames that no runner confirmed", () => gateway.inFlight.frames);
    gauge("in_flight_bytes", "Their bytes", () => gateway.inFlight.bytes);
    gauge("egress_queue_bytes", "Bytes that wait for gvproxy", () => gvproxy.queuedBytes);
    gauge("guest_ready", "1 while the guest's port accepts; absent if none is watched", () => {
      return probe === null ? null : Number(probe.ready);
    });
  }
}
