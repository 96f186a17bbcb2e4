/** The gateway's HTTP side: probes, metrics and status. */
import { createServer, type Server } from "node:http";
import process from "node:process";
import express from "express";
import type { GatewayStatus } from "../../shared/protocol/gateway-status.ts";
import { localAddress, type PublishedPort } from "../published-port.ts";
import type { GatewayMeter, GatewayParts } from "./gateway-meter.ts";

export interface GatewayHttpOptions extends GatewayParts {
  readonly vm: string;
  /** The number by which this process is known in the log. */
  readonly number: number;
  readonly ports: readonly PublishedPort[];
  readonly meter: GatewayMeter;
}

export function createGatewayHttp(options: GatewayHttpOptions): Server {
  const { meter, vm } = options;
  meter.identify(vm);
  const app = express();
  app.disable("x-powered-by");
  app.get("/healthz", (_request, response) => void response.send("ok\n"));
  app.get("/readyz", (_request, response) => {
    const missing = whatIsMissing(options);
    response.status(missing === null ? 200 : 503).send(`${missing ?? "ready"}\n`);
  });
  app.get("/status", (_request, response) => void response.json(statusOf(options)));
  app.get("/metrics", async (_request, response) => {
    response.type(meter.registry.contentType).send(await meter.registry.metrics());
  });
  return createServer(app);
}

/** Why a client would not reach the guest now; null: nothing is missing. */
function whatIsMissing({ gateway, gvproxy, probe }: GatewayHttpOptions): string | null {
  if (gateway.epoch === null) return "the record was not read yet";
  if (gvproxy.pid === null) return "gvproxy is started again";
  if (gateway.attached === null) return "no runner is attached";
  if (probe !== null && !probe.ready) return "the guest's port does not accept connections";
  return null;
}

function statusOf(options: GatewayHttpOptions): GatewayStatus {
  const { vm, number, gateway, gvproxy, probe, ports, meter } = options;
  return {
    vm,
    pid: process.pid,
    gateway: number,
    epoch: gateway.epoch,
    attached: gateway.attached?.nonce ?? null,
    guestReady: probe?.ready ?? null,
    gvproxy: { pid: gvproxy.pid, restarts: gvproxy.restarts },
    ports: ports.map((port) => ({
      local: localAddress(port),
      guestPort: port.guestPort,
      protocol: port.protocol,
    })),
    counters: { ...gateway.counters, egressForbidden: meter.egressForbidden },
  };
}
