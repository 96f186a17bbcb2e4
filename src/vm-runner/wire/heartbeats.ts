/** The runner's heartbeats, in and out, from a thread of their own (heartbeat-worker.ts). */
import { Worker } from "node:worker_threads";
import type { Epoch, Nonce } from "../../shared/protocol/record.ts";
import type { Address } from "./endpoint.ts";

export interface HeartbeatOptions {
  readonly vm: string;
  readonly nonce: Nonce;
  readonly key: Uint8Array;
  readonly listen: Address;
  readonly intervalMs: number;
  /** An authentic heartbeat of this runner came, from `host`. */
  readonly onHeartbeat: (nonce: Nonce, host: string) => void;
  /** The thread cannot go on: without heartbeats the other half would see a failure. */
  readonly onFailure: (error: Error) => void;
}

export interface Heartbeats {
  setEpoch(epoch: Epoch): void;
  /** Where they go from now on; null, as at first: nowhere. */
  setPeer(peer: Address | null): void;
  stop(): Promise<void>;
}

/** Resolves once the datagram port is bound; rejects with the system's error otherwise. */
export function startHeartbeats(options: HeartbeatOptions): Promise<Heartbeats> {
  const { onHeartbeat, onFailure, ...data } = options;
  const worker = new Worker(new URL("./heartbeat-worker.js", import.meta.url), {
    workerData: data satisfies HeartbeatWorkerData,
  });
  const tell = (order: HeartbeatOrder) => worker.postMessage(order);
  const heartbeats: Heartbeats = {
    setEpoch: (epoch) => tell({ kind: "epoch", epoch }),
    setPeer: (peer) => tell({ kind: "peer", peer }),
    stop: async () => {
      worker.removeAllListeners();
      await worker.terminate();
    },
  };
  return new Promise((resolve, reject) => {
    worker.on("error", reject);
    worker.once("message", () => {
      worker.off("error", reject);
      worker.on("error", onFailure);
      worker.on("message", (heard: HeardHeartbeat) => onHeartbeat(heard.nonce, heard.host));
      resolve(heartbeats);
    });
  });
}

export interface HeartbeatWorkerData {
  readonly vm: string;
  readonly nonce: Nonce;
  readonly key: Uint8Array;
  readonly listen: Address;
  readonly intervalMs: number;
}

export type HeartbeatOrder =
  | { readonly kind: "epoch"; readonly epoch: Epoch }
  | { readonly kind: "peer"; readonly peer: Address | null };

export interface HeardHeartbeat {
  readonly nonce: Nonce;
  readonly host: string;
}
