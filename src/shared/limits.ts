/**
 * Every bound of the system, by name. Relations between them are asserted when this loads, each
 * with its reason: a bound that contradicts another one would show only in a rare fault.
 */
import { assert } from "./assert.ts";

export const heartbeatIntervalMs = 50;
/** Silence of heartbeats or of the log that counts as failure. */
export const failureTimeoutMs = 500;
/** How long a living backup may not move its executed index while entries wait. */
export const executionTimeoutMs = 3_000;
/** How long a runner waits for the arbiter before it counts as giving no answer. */
export const arbiterTimeoutMs = 1_000;
/**
 * A planned hand-over was granted: how long the old primary takes the new one's silence for its
 * reading of the record, while heartbeats come and the connection stands.
 */
export const successorGraceMs = 2_500;
/**
 * A primary that was told to leave, and had another half a moment ago, waits this long for one to
 * hand over to.
 */
export const successorWaitMs = 10_000;
/**
 * A primary without a backup looks at the record this often: nobody's acknowledgements tell it that it
 * still is the primary.
 */
export const aloneLookMs = 2_000;
/** The executor shows a sign of life at least this often, even when the guest sleeps. */
export const signOfLifeMs = 100;
/** The executor closes a batch at the latest after this long. */
export const batchIntervalMs = 5;
export const batchBytesMax = 256 * 1024;

/** Log kept for a backup that has not acknowledged it; then the primary waits. */
export const logBufferBytesMax = 16 * 1024 * 1024;
/** Log kept for a candidate during a state transfer; then the transfer is broken off. */
export const transferLogBytesMax = 64 * 1024 * 1024;
/** A state transfer that takes longer is broken off. */
export const transferTimeoutMs = 120_000;
/** Entries that the recorder may be ahead of the acknowledgements. */
export const unacknowledgedEntriesMax = 100_000;
/** Entries that the recorder may be ahead of what the I/O thread has taken in. */
export const recorderAheadEntriesMax = 4_096;

/** Console bytes that runners keep for readers who come back. */
export const consoleHistoryBytes = 64 * 1024;
/** Console bytes held by the Output Rule; then the primary waits. */
export const heldConsoleBytesMax = 48 * 1024;
/** Console input that the guest was given and has not read; then the recorder keeps the rest. */
export const consoleInputBytesMax = 16 * 1024;
/** What a console writer has sent and was not told to be in the log; then it waits. */
export const consoleInFlightBytesMax = 8 * 1024;
/** Console input of one writer that the recorder keeps; more is refused. */
export const consoleWriterBytesMax = 8 * 1024;
/** Console bytes delivered to the guest with one entry: the UART's FIFO holds 16. */
export const consoleInputPerEntryBytes = 16;
/** Console writers whose position the guest's state remembers, and whose input the recorder keeps. */
export const consoleWritersMax = 64;
/** Console readers connected to a runner at once; each may type. */
export const consoleReadersMax = 64;

/**
 * What the guest's network card says is the longest packet (IP, without the Ethernet header): nothing
 * else lies between the guest and gvproxy. With 9,000 the guest, the log and the gateway have a
 * sixth of the frames that they had with 1,500 (bench/README.md).
 */
export const networkMtu = 9_000;
/** Ethernet header with one VLAN tag, and the packet. Longer or shorter frames are malformed. */
export const frameBytesMax = 18 + networkMtu;
export const frameBytesMin = 14;
/** Frames for the guest that the gateway has sent and was not told to be in the log. */
export const ingressInFlightFramesMax = 1_024;
export const ingressInFlightBytesMax = 1024 * 1024;
/** A gateway forgets a frame that nobody took for so long, as a network may. */
export const ingressAgeMsMax = 3_000;
/** Frames delivered to the guest with one entry. */
export const ingressPerEntryFramesMax = 64;
export const ingressPerEntryBytesMax = 64 * 1024;
/** Buffers that the guest's network card can be given in either direction; a power of two. */
export const networkQueueSize = 256;
/** The guest's frames taken in one step; the rest waits for the next one. */
export const egressPerStepFramesMax = 256;
/** When so many bytes were taken in one step, the rest waits for the next one. */
export const egressPerStepBytesMax = 256 * 1024;
/** The guest's frames held by the Output Rule; then the newest are dropped: the guest never waits. */
export const heldEgressBytesMax = 2 * 1024 * 1024;
/** The guest's last frames, kept for a gateway that did not get them from the lost primary. */
export const egressHistoryBytes = 4 * 1024 * 1024;
/** What waits for a gateway, or for the network behind it, to read; more is dropped. */
export const egressQueueBytesMax = 4 * 1024 * 1024;
/** A message between runner and gateway. */
export const gatewayMessageBytesMax = 256 * 1024;
/** Runners connected to a gateway at once. */
export const gatewayRunnersMax = 8;
/** How soon a runner dials its gateway again: where the guest lives, and on a standby. */
export const gatewayRedialMs = 20;
export const gatewayStandbyRedialMs = 500;
/** How often a runner asks whether its gateway is there, and how often in vain at most. */
export const gatewayPingMs = 500;
export const gatewayPingsMax = 4;

/**
 * Execution lag above which the primary is slowed. A batch, its execution and the report of it make
 * 5 to 15 ms on a backup that keeps up: the guest must not pay for those.
 */
export const lagTargetMs = 20;
export const cpuLimitMin = 0.05;

/** On a slow link log and acknowledgements wait behind a chunk: it must not look like silence. */
export const snapshotChunkBytes = 256 * 1024;
export const messageBytesMax = 16 * 1024 * 1024;

assert(
  failureTimeoutMs > 3 * heartbeatIntervalMs,
  "two lost heartbeats in a row must not look like a failure",
);
assert(failureTimeoutMs > 3 * signOfLifeMs, "a guest that sleeps must not look like a silent log");
assert(
  successorGraceMs > 2 * arbiterTimeoutMs,
  "a new primary whose first look at the record gets no answer has time for another one",
);
assert(signOfLifeMs > batchIntervalMs, "a batch is a sign of life");
assert(
  heldConsoleBytesMax < consoleHistoryBytes,
  "a reader must find every byte that was held when the primary died in the backup's history",
);
assert(
  recorderAheadEntriesMax <= unacknowledgedEntriesMax,
  "a recorder that runs ahead must not fill the log buffer by that alone",
);
assert(
  consoleInFlightBytesMax <= consoleWriterBytesMax,
  "the recorder has room for all that a writer may have sent: it need not refuse any",
);
assert(
  consoleReadersMax <= consoleWritersMax,
  "each reader who is connected has a place in the recorder, and the guest remembers it",
);
assert(
  heldEgressBytesMax < egressHistoryBytes,
  "a gateway must find every frame that was held when the primary died in the backup's history",
);
assert(
  egressPerStepBytesMax + frameBytesMax < heldEgressBytesMax,
  "the frames of one step can be held",
);
assert(
  ingressPerEntryFramesMax <= networkQueueSize,
  "the frames of one entry find room in a queue that is empty",
);
assert(
  ingressPerEntryBytesMax >= frameBytesMax && gatewayMessageBytesMax > frameBytesMax,
  "the longest frame has room in an entry and in a message",
);
assert(snapshotChunkBytes < messageBytesMax, "a chunk must fit into a message");
assert(batchBytesMax < messageBytesMax, "a batch must fit into a message");
