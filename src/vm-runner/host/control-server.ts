/**
 * The runner's port for orders: HTTPS with the VM's key, so that whoever gives one belongs to the VM
 * or may read its Secret. Where it is served, the plain HTTP port only reads.
 */
import https from "node:https";
import express, { type RequestHandler } from "express";
import type { Logger } from "../../platform/logging.ts";
import { pskServerOptions } from "../../platform/psk.ts";
import type { Address } from "../wire/endpoint.ts";
import { type PowerSwitch, powerSwitch } from "./power-switch.ts";

export interface ControlOptions extends PowerSwitch {
  /** Hangs up on the gateway and dials again; null: this VM has none. */
  readonly onRedial: (() => void) | null;
  /** Port 0: any free one. */
  readonly listen: Address;
  /** The VM's id: the only identity that is let in. */
  readonly vm: string;
  readonly key: Uint8Array;
  /** Refused handshakes are logged. */
  readonly logger: Pick<Logger, "warn">;
}

/** Orders come one at a time; connections that have not shown the key yet are bounded too. */
const socketsMax = 16;
const handshakeTimeoutMs = 5_000;

/** Resolves when it serves; rejects with the system's error when the address cannot be had. */
export function startControl(options: ControlOptions): Promise<https.Server> {
  const { listen, vm, key, logger } = options;
  const app = express();
  app.disable("x-powered-by");
  app.post("/poweroff", powerSwitch(options));
  app.post("/redial", redialSwitch(options));
  app.use((request, response) => {
    const error = `no such order: ${request.method} ${request.path}; this port takes POST /poweroff and POST /redial`;
    response.status(404).json({ error });
  });
  const server = https.createServer(
    { ...pskServerOptions(new Map([[vm, key]])), handshakeTimeout: handshakeTimeoutMs },
    app,
  );
  server.maxConnections = socketsMax;
  server.on("tlsClientError", (error) => {
    logger.warn({ problem: error.message }, "an order's connection was refused");
  });
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(listen.port, listen.host, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

/** Any runner takes it: frames are numbered, so a new connection to the same gateway loses nothing. */
function redialSwitch({ onRedial }: Pick<ControlOptions, "onRedial">): RequestHandler {
  return (_request, response) => {
    if (onRedial === null) {
      response.status(409).json({ error: "this VM has no gateway" });
      return;
    }
    onRedial();
    response.status(202).json({ accepted: true });
  };
}
