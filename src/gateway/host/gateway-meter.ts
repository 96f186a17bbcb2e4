/** The gateway's metrics for Prometheus, read from its parts when they are scraped. */
import { Counter, Gauge, Registry } from "prom-client";
import type { Gateway } from "../gateway.ts";
import type { Gvproxy } from "./gvproxy.ts";
import type { ReadinessProbe } from "./readiness-probe.ts";

export interface GatewayParts {
  readonly gateway: Gateway;
  readonly gvproxy: Gvproxy;
  /** Null: nobody asked for one. */
  readonly probe: ReadinessProbe | null;
}

export class GatewayMeter {
  readonly registry = new Registry();
  egressForbidden = 0;
  attachments = 0;
  /** Connections dropped for what they sent, or for a wrong key. */
  badPeers = 0;

  /** Once everything is there. */
  read(parts: GatewayParts): void {
    this.#traffic(parts);
    this.#drops(parts);
    this.#events(parts);
    this.#levels(parts);
  }

  #traffic({ gateway }: GatewayParts): void {
    const labelled = (name: string, help: string, ingress: () => number, egress: () => number) =>
      this.#counter(`${name}_total`, help, "direction", () => ({
        ingress: ingress(),
        egress: egress(),
      }));
    const count = () => gateway.counters;
    labelled(
      "frames",
      "Frames for the guest (ingress) and of it (egress)",
      () => count().ingressFrames,
      () => count().egressFrames,
    );
    labelled(
      "bytes",
      "Their bytes",
      () => count().ingressBytes,
      () => count().egressBytes,
    );
  }

  #drops({ gateway }: GatewayParts): void {
    this.#counter("dropped_frames_total", "Frames dropped, by why", "reason", () => {
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

  #events({ gateway, gvproxy }: GatewayParts): void {
    this.#counter("events_total", "What happened, by kind", "kind", () => ({
      attachment: this.attachments,
      failover: gateway.counters.failovers,
      gvproxy_restart: gvproxy.restarts,
      bad_peer: this.badPeers,
    }));
  }

  #levels({ gateway, gvproxy, probe }: GatewayParts): void {
    const gauge = (name: string, help: string, value: () => number) =>
      new Gauge({
        name: `lockstep_gateway_${name}`,
        help,
        registers: [this.registry],
        collect() {
          this.set(value());
        },
      });
    gauge("epoch", "Newest epoch known", () => gateway.epoch ?? 0);
    gauge("attached", "1 while a runner's frames count", () => (gateway.attached ? 1 : 0));
    gauge("gvproxy_running", "1 while gvproxy runs", () => (gvproxy.pid === null ? 0 : 1));
    gauge("in_flight_frames", "Frames that no runner confirmed", () => gateway.inFlight.frames);
    gauge("in_flight_bytes", "Their bytes", () => gateway.inFlight.bytes);
    gauge("egress_queue_bytes", "Bytes that wait for gvproxy", () => gvproxy.queuedBytes);
    if (probe === null) return;
    gauge("guest_ready", "1 while the guest's port accepts", () => (probe.ready ? 1 : 0));
  }

  /** One counter with a label; `values` gives what it stands at for each value of the label. */
  #counter(name: string, help: string, label: string, values: () => Record<string, number>) {
    new Counter({
      name: `lockstep_gateway_${name}`,
      help,
      labelNames: [label],
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [value, count] of Object.entries(values())) this.inc({ [label]: value }, count);
      },
    });
  }
}
