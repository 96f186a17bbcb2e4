/** The gateway's port for runners: TLS with the VM's key; each connection is the core's link. */
import tls, { type TLSSocket } from "node:tls";
import { Connection } from "../../platform/connection.ts";
import { pskServerOptions } from "../../platform/psk.ts";
import type { WriteTurn } from "../../platform/write-turn.ts";
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
  /** What the gateway sends in one turn leaves together. */
  readonly turn: WriteTurn;
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

function serveRunner(socket: TLSSocket, { gateway, turn, onBadPeer }: RunnerServerOptions): void {
  socket.setKeepAlive(true, keepAliveMs);
  const events = {
    onMessage: (message: Uint8Array) => gateway.receive(link, message),
    onClosed: (problem: string | null) => {
      gateway.leave(link);
      if (problem !== null) onBadPeer(problem);
    },
  };
  const connection = new Connection(socket, gatewayMessageBytesMax, events, turn);
  const link = gateway.accept(connection);
}
