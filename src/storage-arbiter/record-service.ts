/**
 * Records over HTTPS with a pre-shared key:
 *
 *     GET  /v1/records/:vm               200 the record, 404 and a reason: there is none
 *     POST /v1/records/:vm/transitions   a RecordRequest; the answer is the RecordOutcome:
 *                                        200 granted; 404 missing record, 403 the runner does not
 *                                        have the role, 409 the record is not as expected
 *     GET  /healthz                      200
 *
 * Whatever else is wrong is answered with `{ message }` and changes nothing: 400 not a request,
 * 403 another VM's record, 413 too large. 503 means that the store failed: the fate of the request
 * is then unknown.
 */
import type { ErrorRequestHandler, Express, Request, Response } from "express";
import express from "express";
import { z } from "zod";
import type { Logger } from "../platform/logging.ts";
import { pskIdentity } from "../platform/psk.ts";
import type { RecordOutcome, RefusalReason } from "../shared/protocol/record.ts";
import { requestSchema } from "./record/record-schema.ts";
import type { RecordStore } from "./record/record-store.ts";

/** A request is a handful of short words. */
const requestBytesMax = 4096;

export function recordService(store: RecordStore, log: Logger): Express {
  const app = express();
  app.disable("x-powered-by");
  app.disable("etag");
  app.get("/healthz", (_request, response) => {
    response.json({ ok: true });
  });
  app.get("/v1/records/:vm", onlyOwnVm, async (request, response) => {
    const record = await store.read(vmOf(request));
    if (record === null) response.status(404).json({ reason: "missing record" });
    else response.json(record);
  });
  app.post(
    "/v1/records/:vm/transitions",
    onlyOwnVm,
    express.json({ limit: requestBytesMax }),
    async (request, response) => {
      const parsed = requestSchema.safeParse(request.body);
      if (!parsed.success) {
        const message = `the body is no request: ${z.prettifyError(parsed.error)}`;
        response.status(400).json({ message });
        return;
      }
      if (parsed.data.vm !== vmOf(request)) {
        const message = `the body is about VM ${parsed.data.vm}, the address about ${vmOf(request)}`;
        response.status(400).json({ message });
        return;
      }
      const outcome = await store.apply(parsed.data);
      log.info({ request: parsed.data, outcome }, `${parsed.data.kind} ${outcome.kind}`);
      response.status(statusOf(outcome)).json(outcome);
    },
  );
  app.use((request, response) => {
    response.status(404).json({ message: `no such address: ${request.method} ${request.path}` });
  });
  app.use(onError(log));
  return app;
}

/** The key that opened the connection belongs to one VM, and so does everything asked over it. */
function onlyOwnVm(request: Request, response: Response, next: () => void): void {
  const identity = pskIdentity(request.socket);
  if (identity !== undefined && identity === vmOf(request)) {
    next();
    return;
  }
  const message = `this connection belongs to VM ${identity}, not to ${vmOf(request)}`;
  response.status(403).json({ message });
}

function vmOf(request: Request): string {
  const vm = request.params["vm"];
  return typeof vm === "string" ? vm : "";
}

const statusOfRefusal: Record<RefusalReason, number> = {
  "missing record": 404,
  "not the primary": 403,
  "not the backup": 403,
  "another VM": 403,
  "record exists": 409,
  "already started": 409,
  "stale epoch": 409,
  "unknown epoch": 409,
  "no backup": 409,
  "own backup": 409,
  "already named": 409,
};

function statusOf(outcome: RecordOutcome): number {
  return outcome.kind === "granted" ? 200 : statusOfRefusal[outcome.reason];
}

/** Express gives errors of the client a status below 500; anything else is the store's failure. */
function onError(log: Logger): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    const status = typeof error?.status === "number" && error.status < 500 ? error.status : 503;
    if (status === 503) log.error({ err: error }, "the record store failed");
    response.status(status).json({ message: String(error?.message ?? error) });
  };
}
