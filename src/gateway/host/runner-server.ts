/** The gateway's port for runners: TLS with the VM's key; each connection is the core's link. */
import tls, { type TLSSocket } from "node:tls";
import { Connection } from "../../platform/connection.ts";
import { pskServerOptions } from "../../platform/psk.ts";
import { gatewayMessageBytesMax, gatewayRunnersMax } from "../../shared/limits.ts";
import type { Gateway } from "../gateway.ts";

/** Connections that have not shown the key yet are bounded too, in number and time. */
const socketsMax = 4 * gatewayRunnersMax;
const handshakeTimeoutMs = 5_000;
/** A runner whose computer died says nothing for ever, as a backup does: the system asks. */
const keepAliveMs = 5_000;

export interface RunnerServerOptions {
  readonly vm: string;
  readonly key: Uint8Array;
  readonly gateway: Gateway;
  /** A connection that broke the format, or had the wrong key. */
  readonly onBadPeer: (problem: string) => void;
}

export function createRunnerServer(options: RunnerServerOptions): tls.Server {
  const { vm, key, onBadPeer } = options;
  const keys = new Map([[vm, key]]);
  const server = tls.createServer(
    { ...pskServerOptions(keys), handshakeTimeout: handshakeTimeoutMs },
    (socket) => serveRunner(socket, options),
  );
  server.maxConnections = socketsMax;
  server.on("tlsClientError", (error) => onBadPeer(`TLS handshake failed: ${error.message}`));
  return server;
}

function serveRunner(socket: TLSSocket, { gateway, onBadPeer }: RunnerServerOptions): void {
  socket.setKeepAlive(true, keepAliveMs);
  const connection = new Connection(socket, gatewayMessageBytesMax, {
    onMessage: (message) => gateway.receive(link, message),
    onClosed: (problem) => {
      gateway.leave(link);
      if (problem !== null) onBadPeer(problem);
    },
  });
  const link = gateway.accept(connection);
}
