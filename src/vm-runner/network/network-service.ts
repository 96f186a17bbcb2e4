/**
 * The guest's network, for the gateway (shared/protocol/gateway.ts). Every runner keeps the guest's
 * last frames; only the runner in which the guest lives attaches, sends what the gateway has not got
 * and hands on what comes for the guest. The connection is held by somebody else: a socket in a
 * runner, a simulated one in the simulator.
 */
import type { Epoch, Nonce } from "../../shared/protocol/record.ts";
import type { RunnerOutput } from "../replay/executor-protocol.ts";
import type { IngressInput } from "../replay/log-entry.ts";

/** The way to the gateway: messages in order, until one side ends it. */
export interface GatewayConnection {
  /** Bytes that wait for the gateway to read. */
  readonly queuedBytes: number;
  send(message: Uint8Array): void;
  /** Ends the connection after what was sent. */
  end(): void;
}

export interface NetworkServiceOptions {
  readonly nonce: Nonce;
  /** Frames for the guest, in order. */
  readonly onIngress: (input: IngressInput) => void;
  /** What happened to the attachment, for the log. */
  readonly onReport: (report: NetworkReport) => void;
}

export type NetworkReport =
  | { readonly kind: "attached"; readonly gateway: number; readonly resentFrames: number }
  | { readonly kind: "refused"; readonly reason: string; readonly epoch: Epoch };

export interface NetworkCounters {
  readonly attached: boolean;
  readonly ingressFrames: number;
  readonly ingressBytes: number;
  readonly egressFrames: number;
  readonly egressBytes: number;
  /** The guest's frames that waited behind too many others, or were held too long. */
  readonly egressDropped: number;
}

/** The gateway said something that none says: the connection is of no use any more. */
export class GatewayProtocolError extends Error {
  override readonly name = "GatewayProtocolError";
}

export declare class NetworkService {
  constructor(options: NetworkServiceOptions);
  readonly counters: NetworkCounters;

  /** Produced by a backup: kept, not sent. */
  remember(output: RunnerOutput): void;
  /** May be seen outside. */
  release(output: RunnerOutput): void;
  /** The guest runs here: attach, and announce it once attached. */
  goLive(epoch: Epoch, announcement: Uint8Array | null): void;
  /** The record has a later epoch with the same primary. */
  setEpoch(epoch: Epoch): void;
  /** The guest runs here no more. */
  resign(): void;

  /** There is a connection to the gateway; the one before is gone. */
  connected(connection: GatewayConnection): void;
  /** A whole message. Whoever holds the connection hangs up when this throws.
   * @throws BytesError, GatewayProtocolError */
  receive(message: Uint8Array): void;
  /** The connection is closed, whoever closed it. */
  disconnected(): void;
}
