/** The runner's heartbeats, in and out, from a thread of their own (heartbeat-worker.ts). */
import { Worker } from "node:worker_threads";
import type { Epoch, Nonce } from "../../shared/protocol/record.ts";
import type { Address } from "./endpoint.ts";

export interface HeartbeatOptions {
  readonly vm: string;
  readonly nonce: Nonce;
  readonly key: Uint8Array;
  readonly listen: Address;
  readonly peer: Address;
  /** An authentic heartbeat of this runner came. */
  readonly onHeartbeat: (nonce: Nonce) => void;
  /** The thread cannot go on: without heartbeats the other half would see a failure. */
  readonly onFailure: (error: Error) => void;
}

export interface Heartbeats {
  setEpoch(epoch: Epoch): void;
  stop(): Promise<void>;
}

/** Resolves once the datagram port is bound; rejects with the system's error otherwise. */
export function startHeartbeats(options: HeartbeatOptions): Promise<Heartbeats> {
  const { vm, nonce, key, listen, peer, onHeartbeat, onFailure } = options;
  const data: HeartbeatWorkerData = { vm, nonce, key, listen, peer };
  const worker = new Worker(new URL("./heartbeat-worker.js", import.meta.url), {
    workerData: data,
  });
  const heartbeats: Heartbeats = {
    setEpoch: (epoch) => worker.postMessage(epoch),
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
      worker.on("message", (heard: Nonce) => onHeartbeat(heard));
      resolve(heartbeats);
    });
  });
}

export interface HeartbeatWorkerData {
  readonly vm: string;
  readonly nonce: Nonce;
  readonly key: Uint8Array;
  readonly listen: Address;
  readonly peer: Address;
}
