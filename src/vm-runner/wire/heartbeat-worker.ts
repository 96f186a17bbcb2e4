/**
 * Sends a heartbeat each interval and tells the I/O thread of each authentic one that comes. Its
 * own thread, so that neither garbage collection nor a long step looks like death.
 *
 * A datagram is one line of text (failover/heartbeat.ts) and its HMAC-SHA-256.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createSocket, type RemoteInfo } from "node:dgram";
import { isIPv6 } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../shared/assert.ts";
import { HeartbeatJudge, HeartbeatWriter } from "../failover/heartbeat.ts";
import type { Address } from "./endpoint.ts";
import type { HeardHeartbeat, HeartbeatOrder, HeartbeatWorkerData } from "./heartbeats.ts";

const macBytes = 32;

assert(parentPort !== null, "heartbeats are sent from a worker thread");
const port = parentPort;
// SAFETY: heartbeats.ts starts this worker with exactly this.
const { vm, nonce, key, listen, intervalMs } = workerData as HeartbeatWorkerData;
const writer = new HeartbeatWriter({ vm, nonce });
const judge = new HeartbeatJudge({ vm, nonce });
const socket = createSocket(isIPv6(listen.host) ? "udp6" : "udp4");
let epoch = 0;
let peer: Address | null = null;

socket.on("message", receive);
socket.bind(listen.port, listen.host, () => {
  port.postMessage("bound");
  port.on("message", obey);
  setInterval(send, intervalMs);
});

function obey(order: HeartbeatOrder): void {
  if (order.kind === "epoch") epoch = order.epoch;
  else peer = order.peer;
}

function send(): void {
  if (peer === null) return;
  const text = Buffer.from(writer.next(epoch));
  // An unreachable peer is what the silence is there to tell.
  socket.send(Buffer.concat([text, macOf(text)]), peer.port, peer.host, () => {});
}

function receive(datagram: Buffer, { address }: RemoteInfo): void {
  if (datagram.length <= macBytes) return;
  const text = datagram.subarray(0, -macBytes);
  if (!timingSafeEqual(macOf(text), datagram.subarray(-macBytes))) return;
  const sender = judge.accept(text.toString("latin1"));
  if (sender === null) return;
  const heard: HeardHeartbeat = { nonce: sender, host: address };
  port.postMessage(heard);
}

function macOf(text: Uint8Array): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
