/** The operator's HTTP side: probes and metrics. It only reads. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import express from "express";
import type { Registry } from "prom-client";
import { OperatorError } from "./operator-error.ts";

export interface OperatorHttpOptions {
  readonly registry: Registry;
  /** What is broken for good, so that only a new process helps; null: nothing. */
  readonly broken: () => string | null;
  /** What is missing until it could act; null: nothing. */
  readonly missing: () => string | null;
}

export function createOperatorHttp({ registry, broken, missing }: OperatorHttpOptions): Server {
  const app = express();
  app.disable("x-powered-by");
  const probe = (path: string, ask: () => string | null, fine: string) => {
    app.get(path, (_request, response) => {
      const wrong = ask();
      response.status(wrong === null ? 200 : 503).send(`${wrong ?? fine}\n`);
    });
  };
  probe("/healthz", broken, "ok");
  probe("/readyz", missing, "ready");
  app.get("/metrics", async (_request, response) => {
    response.type(registry.contentType).send(await registry.metrics());
  });
  return createServer(app);
}

/** The port that it listens on. @throws OperatorError */
export async function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<number> {
  try {
    server.listen(port, host);
    await once(server, "listening");
  } catch (cause) {
    const code = typeof cause === "object" && cause !== null && "code" in cause ? cause.code : "";
    const inUse = code === "EADDRINUSE";
    const why = inUse ? "another process listens there" : `${code}; give --http another address`;
    const message = `cannot listen on ${host}:${port}: ${why}`;
    throw new OperatorError(inUse ? "address in use" : "bad configuration", message, { cause });
  }
  const address = server.address();
  return address !== null && typeof address === "object" ? address.port : port;
}
