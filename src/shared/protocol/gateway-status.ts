/** What a gateway tells about itself at `GET /status`. */
import type { Epoch, Nonce } from "./record.ts";

export interface GatewayStatus {
  readonly vm: string;
  readonly pid: number;
  /** The number by which this process is known in the log. */
  readonly gateway: number;
  /** The newest epoch known; null before the record was read. */
  readonly epoch: Epoch | null;
  /** The runner whose frames count; null: nobody is attached. */
  readonly attached: Nonce | null;
  /** A program of the guest accepts connections on the port asked for; null: none was asked for. */
  readonly guestReady: boolean | null;
  readonly gvproxy: {
    /** Null: it is not running; it is started again. */
    readonly pid: number | null;
    /** How often it was started again. */
    readonly restarts: number;
  };
  readonly ports: readonly PublishedPortStatus[];
  readonly counters: GatewayStatusCounters;
}

interface PublishedPortStatus {
  /** Where outsiders connect, such as "127.0.0.1:8080". */
  readonly local: string;
  readonly guestPort: number;
  readonly protocol: "tcp" | "udp";
}

/** Since this process began; frames unless the name says something else. */
export interface GatewayStatusCounters {
  /** For the guest. */
  readonly ingressFrames: number;
  readonly ingressBytes: number;
  /** Nobody took them in time. */
  readonly ingressExpired: number;
  /** More waited than the bound allows. */
  readonly ingressDropped: number;
  /** Of the guest. */
  readonly egressFrames: number;
  readonly egressBytes: number;
  /** gvproxy was gone, or did not read them. */
  readonly egressDropped: number;
  /** To addresses that the guest may not use. */
  readonly egressForbidden: number;
  /** From a runner that is not, or no more, the newest epoch's. */
  readonly egressFenced: number;
  /** The gateway had them already. */
  readonly egressRepeated: number;
  readonly malformed: number;
  /** Attachments of another runner than before. */
  readonly failovers: number;
}
