/**
 * Sends a heartbeat each interval and tells the I/O thread of each authentic one that comes. Its
 * own thread, so that neither garbage collection nor a long step looks like death.
 *
 * A datagram is one line of text, `lockstep VM NONCE EPOCH COUNTER`, and its HMAC-SHA-256. The
 * counter only grows, so that an old datagram sent again is no sign of life.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createSocket } from "node:dgram";
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../shared/assert.ts";
import { heartbeatIntervalMs } from "../../shared/limits.ts";
import type { HeartbeatWorkerData } from "./heartbeats.ts";

const macBytes = 32;
/** Runners whose counter is remembered: the two halves, and those just restarted. */
const sendersMax = 16;

assert(parentPort !== null, "heartbeats are sent from a worker thread");
const port = parentPort;
// SAFETY: heartbeats.ts starts this worker with exactly this.
const { vm, nonce, key, listen, peer } = workerData as HeartbeatWorkerData;
const counters = new Map<string, number>();
const socket = createSocket("udp4");
let epoch = 0;
let counter = 0;

socket.on("message", receive);
socket.bind(listen.port, listen.host, () => {
  port.postMessage("bound");
  port.on("message", (known: number) => {
    epoch = known;
  });
  setInterval(send, heartbeatIntervalMs);
});

function send(): void {
  const text = Buffer.from(`lockstep ${vm} ${nonce} ${epoch} ${++counter}`);
  // An unreachable peer is what the silence is there to tell.
  socket.send(Buffer.concat([text, macOf(text)]), peer.port, peer.host, () => {});
}

function receive(datagram: Buffer): void {
  if (datagram.length <= macBytes) return;
  const text = datagram.subarray(0, -macBytes);
  if (!timingSafeEqual(macOf(text), datagram.subarray(-macBytes))) return;
  const [, sentVm, sender, , count] = text.toString("latin1").split(" ");
  if (sentVm !== vm || sender === undefined || sender === nonce) return;
  const number = Number(count);
  if (!Number.isSafeInteger(number) || number <= (counters.get(sender) ?? 0)) return;
  counters.delete(sender);
  counters.set(sender, number);
  forgetOldest();
  port.postMessage(sender);
}

/** The map keeps its order of insertion: the first is the one longest unheard of. */
function forgetOldest(): void {
  const [oldest] = counters.keys();
  if (counters.size > sendersMax && oldest !== undefined) counters.delete(oldest);
}

function macOf(text: Uint8Array): Buffer {
  return createHmac("sha256", key).update(text).digest();
}
