/**
 * The gateway: the stable outside end of a VM's network. It takes frames from the runner of the
 * newest epoch alone, and gives it those for the guest; whatever that runner did not confirm is
 * given to the next one again. It has no clock and does no I/O: connections, the network behind it
 * and the record are held by somebody else (the shell in `host/`, or the simulator).
 */
import type { Epoch, Nonce, VmRecord } from "../shared/protocol/record.ts";

/** The way to one runner: messages in order, until one side ends it. */
export interface RunnerConnection {
  /** Bytes that wait for the runner to read. */
  readonly queuedBytes: number;
  send(message: Uint8Array): void;
  /** Ends the connection after what was sent. */
  end(): void;
}

/** The network behind the gateway. */
export interface NetworkPort {
  /** Bytes that wait for it to read. */
  readonly queuedBytes: number;
  send(frame: Uint8Array): void;
}

/** What the gateway knows a connection by. */
export interface RunnerLink {
  readonly connection: RunnerConnection;
}

export interface GatewayOptions {
  readonly vm: string;
  /** Made at random for each gateway process; 32 bits. */
  readonly gateway: number;
  /** Asks for the record; `onRecord` or `onRecordUnreadable` answers. */
  readonly readRecord: () => void;
  readonly onReport: (report: GatewayReport) => void;
}

export type GatewayReport =
  | { readonly kind: "record"; readonly epoch: Epoch; readonly primary: Nonce | null }
  | {
      readonly kind: "attached";
      readonly nonce: Nonce;
      readonly epoch: Epoch;
      readonly resentFrames: number;
    }
  | {
      readonly kind: "closed";
      readonly nonce: Nonce;
      readonly epoch: Epoch;
      readonly reason: string;
    };

export interface GatewayCounters {
  readonly ingressFrames: number;
  readonly ingressBytes: number;
  readonly egressFrames: number;
  readonly egressBytes: number;
  /** By why: no runner took them in time, or more waited than the bound allows. */
  readonly ingressExpired: number;
  readonly ingressDropped: number;
  /** The network behind did not read them. */
  readonly egressDropped: number;
  /** From a runner that is not, or no more, the newest epoch's. */
  readonly egressFenced: number;
  /** The gateway had them already. */
  readonly egressRepeated: number;
  readonly malformed: number;
  readonly failovers: number;
}

/** A runner said something that none says: the connection is of no use any more. */
export class RunnerProtocolError extends Error {
  override readonly name = "RunnerProtocolError";
}

export declare class Gateway {
  constructor(options: GatewayOptions);
  readonly counters: GatewayCounters;
  /** The newest epoch known; null before the record was read. */
  readonly epoch: Epoch | null;
  /** The runner whose frames count; null: nobody is attached. */
  readonly attached: { readonly nonce: Nonce; readonly epoch: Epoch } | null;

  /** The network behind is there; null: it is gone. */
  setNetwork(network: NetworkPort | null): void;
  /** A runner's connection, before its first message. */
  accept(connection: RunnerConnection): RunnerLink;
  /** A whole message of a runner. Whoever holds the connection hangs up when this throws.
   * @throws BytesError, RunnerProtocolError */
  receive(link: RunnerLink, message: Uint8Array): void;
  /** The runner's connection is closed, whoever closed it. */
  leave(link: RunnerLink): void;
  /** Null: there is no record of this VM. */
  onRecord(record: VmRecord | null): void;
  onRecordUnreadable(): void;
  /** A frame from the network, for the guest. */
  onFrame(frame: Uint8Array, nowMs: number): void;
  /** Every so often: asks again for the record, forgets frames that are too old. */
  tick(nowMs: number): void;
}
