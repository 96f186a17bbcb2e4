/** One runner's connection, as the gateway sees it: what it said of itself, and what came of it. */
import {
  type CloseReason,
  encodeGatewayMessage,
  type GatewayToRunner,
} from "../shared/protocol/gateway.ts";
import type { Epoch } from "../shared/protocol/record.ts";
import type { RunnerConnection, RunnerLink } from "./gateway.ts";
import type { Claim } from "./newest-epoch.ts";

/**
 * - `new`: it has not said who it is.
 * - `waiting`: the record was never read, so nobody can say whether its claim holds.
 * - `closed`: the last message was sent to it.
 */
type Standing =
  | { readonly kind: "new" }
  | { readonly kind: "waiting"; readonly claim: Claim }
  | { readonly kind: "attached"; readonly claim: Claim }
  | { readonly kind: "closed" };

export class Link implements RunnerLink {
  readonly connection: RunnerConnection;
  standing: Standing = { kind: "new" };

  constructor(connection: RunnerConnection) {
    this.connection = connection;
  }

  send(message: GatewayToRunner): void {
    this.connection.send(encodeGatewayMessage(message));
  }

  close(reason: CloseReason, epoch: Epoch): void {
    this.standing = { kind: "closed" };
    this.send({ kind: "closed", reason, epoch });
    this.connection.end();
  }
}
