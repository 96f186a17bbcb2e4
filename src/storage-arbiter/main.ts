/**
 * The storage-arbiter as a process: serves one VM's record over HTTPS with the VM's pre-shared key.
 */
import { accessSync, constants } from "node:fs";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { readKeyFile } from "../platform/key-file.ts";
import { createLogger, type Logger } from "../platform/logging.ts";
import { pskServerOptions } from "../platform/psk.ts";
import { FileStore } from "./record/file-store.ts";
import { nodeDisk } from "./record/node-disk.ts";
import { recordService } from "./record-service.ts";

export interface ArbiterOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Where the records are kept; it must exist. */
  readonly directory: string;
  readonly keyFile: string;
  /** The VM whose key this is: the only identity that is let in. */
  readonly vm: string;
  /** What this process is called in the log. */
  readonly name: string;
}

export interface RunningArbiter {
  readonly port: number;
  /** Answers what was asked, then closes every connection. */
  stop(): Promise<void>;
}

/** A start that cannot work; the message is one sentence for the user. */
export class ArbiterError extends Error {
  override readonly name = "ArbiterError";
  readonly code: "bad configuration" | "address in use";

  constructor(code: ArbiterError["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** How long a request in hand may take once the arbiter was told to stop. */
const stopGraceMs = 1_000;

/** @throws ArbiterError, KeyFileError */
export async function startArbiter(options: ArbiterOptions): Promise<RunningArbiter> {
  const key = readKeyFile(options.keyFile);
  requireWritable(options.directory);
  const log = createLogger(options.name);
  const app = recordService(new FileStore(options.directory, nodeDisk), log);
  const server = https.createServer(pskServerOptions(new Map([[options.vm, key]])), app);
  // A runner keeps one connection open for the moment in which it must take over.
  server.keepAliveTimeout = 0;
  server.on("tlsClientError", (error) => log.warn({ err: error }, "handshake refused"));
  await listen(server, options);
  const { port } = server.address() as AddressInfo; // SAFETY: it listens on a TCP port.
  log.info({ host: options.host, port, vm: options.vm }, "serving the record");
  return { port, stop: () => stop(server, log) };
}

function requireWritable(directory: string): void {
  try {
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new ArbiterError(
      "bad configuration",
      `cannot keep records in ${directory}: ${String(error)}; make the directory first`,
      error,
    );
  }
}

function listen(server: https.Server, { host, port }: ArbiterOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const code = error.code === "EADDRINUSE" ? "address in use" : "bad configuration";
      const advice = code === "address in use" ? "; choose another port, or 0 for any" : "";
      const message = `cannot listen on ${host}:${port}: ${error.message}${advice}`;
      reject(new ArbiterError(code, message, error));
    });
    server.listen(port, host, resolve);
  });
}

async function stop(server: https.Server, log: Logger): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), stopGraceMs);
  await closed;
  clearTimeout(timer);
  log.info("stopped");
}
