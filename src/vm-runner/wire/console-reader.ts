/** A console reader's TLS connection, held for the console's service. */
import type { TLSSocket } from "node:tls";
import { Connection } from "../../platform/connection.ts";
import { consoleMessageBytesMax } from "../../shared/protocol/console.ts";
import type { ConsoleService } from "../console/console-service.ts";

/** Serves a reader until it goes; `onBadPeer`: how it broke the protocol. */
export function serveReader(
  socket: TLSSocket,
  service: ConsoleService,
  onBadPeer: (problem: string) => void,
): void {
  const connection = new Connection(socket, consoleMessageBytesMax, {
    onMessage: (message) => service.receive(reader, message),
    onClosed: (problem) => {
      service.leave(reader);
      if (problem !== null) onBadPeer(problem);
    },
  });
  const reader = service.accept(connection);
}
