import { expect, test } from "@jest/globals";
import {
  egressHistoryBytes,
  egressQueueBytesMax,
  frameBytesMax,
  gatewayMessageBytesMax,
  ingressInFlightFramesMax,
} from "../../shared/limits.ts";
import {
  closeReasons,
  decodeGatewayMessage,
  encodeGatewayMessage,
  type GatewayMessage,
  type GatewayToRunner,
} from "../../shared/protocol/gateway.ts";
import type { IngressInput } from "../replay/log-entry.ts";
import { type GatewayConnection, type NetworkReport, NetworkService } from "./network-service.ts";

class FakeConnection implements GatewayConnection {
  readonly told: GatewayMessage[] = [];
  queuedBytes = 0;
  ended = false;

  send(message: Uint8Array): void {
    expect(this.ended).toBe(false);
    this.told.push(decodeGatewayMessage(message));
  }

  end(): void {
    this.ended = true;
  }
}

/** A frame that says its number, so that a wrong one is noticed. */
function frame(number: number, length = 60): Uint8Array {
  const bytes = new Uint8Array(length);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

function numberIn({ buffer, byteOffset }: Uint8Array): number {
  return new DataView(buffer, byteOffset).getUint32(0);
}

const run = (first: number, count = 1, length = 60) => {
  return { first, frames: Array.from({ length: count }, (_, i) => frame(first + i, length)) };
};
const egress = (first: number, count = 1) => ({ kind: "egress", ...run(first, count) }) as const;
const announcement = frame(0xa, 42);
const announce = { kind: "announce", frame: announcement } as const;
const attach = (epoch: number) => ({ kind: "attach", nonce: "me", epoch, life: 2 }) as const;
const attached = (egressNext: number | null, gateway = 9) => {
  return { kind: "attached", gateway, egressNext } as const;
};
const accepted = (next: number, gateway = 9) => {
  return { kind: "ingressAccepted", gateway, next } as const;
};

function newService() {
  const ingress: IngressInput[] = [];
  const reports: NetworkReport[] = [];
  const service = new NetworkService({
    nonce: "me",
    onIngress: (input) => ingress.push(input),
    onReport: (report) => reports.push(report),
  });
  const hear = (message: GatewayMessage) => service.receive(encodeGatewayMessage(message));
  const connect = () => {
    const connection = new FakeConnection();
    service.connected(connection);
    return connection;
  };
  return { service, ingress, reports, hear, connect };
}

/** Attached in epoch 3 to gateway 9, which has nothing; what was said so far is forgotten. */
function newAttached() {
  const parts = newService();
  const connection = parts.connect();
  parts.service.goLive(3, 2, null);
  parts.hear(attached(null));
  connection.told.length = 0;
  parts.reports.length = 0;
  return { ...parts, connection };
}

test("a standby has a connection and says nothing on it, whatever it executes", () => {
  const { service, connect } = newService();
  const connection = connect();
  service.remember(egress(0, 3));
  service.setEpoch(2);
  service.resign();
  expect(connection).toMatchObject({ told: [], ended: false });
  expect(service.isLive).toBe(false);
});

test.each([
  ["before", true],
  ["after", false],
])("who goes live attaches at once, connected %s that", (_, connectedFirst) => {
  const { service, connect } = newService();
  const early = connectedFirst ? connect() : null;
  service.goLive(3, 2, announcement);
  const connection = early ?? connect();
  expect(connection.told).toEqual([attach(3)]);
  expect(service.counters.attached).toBe(false);
  expect(service.isLive).toBe(true);
});

test.each([
  ["nothing, so only new frames are wanted", null, []],
  ["some frames, and gets the others in one message", 4, [egress(4, 6)]],
  ["part of what was sent at once", 6, [egress(6, 4)]],
  ["all", 10, []],
  ["more than there is", 12, []],
])("a gateway that has %s: announcement first, then frames, then acceptance", (_, next, missed) => {
  const { service, connect, hear, reports } = newService();
  const connection = connect();
  service.remember(egress(0, 3));
  service.remember(egress(3, 4));
  service.goLive(3, 2, announcement);
  service.release(egress(7, 3));
  service.release(accepted(17));
  hear(attached(next));
  expect(connection.told).toEqual([attach(3), announce, ...missed, accepted(17)]);
  const resentFrames = missed.reduce((sum, { frames }) => sum + frames.length, 0);
  expect(reports).toEqual([{ kind: "attached", gateway: 9, resentFrames }]);
  expect(service.counters).toMatchObject({ attached: true, egressFrames: resentFrames });
});

test("once attached, what is released leaves at once and once", () => {
  const { service, connection } = newAttached();
  service.release(egress(0, 2));
  service.release(egress(2, 1));
  service.release(egress(1, 3));
  expect(connection.told).toEqual([egress(0, 2), egress(2, 1), egress(3, 1)]);
  expect(service.counters).toMatchObject({ egressFrames: 4, egressBytes: 240, egressDropped: 0 });
});

test("what a primary that handed over executes afterwards stays unseen until it is live again", () => {
  const { service, connect, hear } = newAttached();
  service.release(egress(0, 2));
  service.resign();
  service.remember(egress(2, 2));
  const connection = connect();
  expect(connection.told).toEqual([]);
  service.goLive(5, 2, null);
  hear(attached(0));
  expect(connection.told).toEqual([attach(5), egress(0, 4)]);
});

test("what is remembered and not released stays unseen, though a gateway asks for it", () => {
  const { service, connect, hear } = newAttached();
  service.release(egress(0, 2));
  service.remember(egress(2, 2));
  const connection = connect();
  hear(attached(0));
  expect(connection.told).toEqual([attach(3), egress(0, 2)]);
});

test("numbers that are missing, because frames were held too long, begin another message", () => {
  const { service, connect, hear } = newService();
  service.remember(egress(0, 2));
  service.remember(egress(5, 2));
  const connection = connect();
  service.goLive(3, 2, null);
  hear(attached(0));
  expect(connection.told).toEqual([attach(3), egress(0, 2), egress(5, 2)]);
});

test("a gateway that comes back is told again what it may forget, another one is not", () => {
  const { service, connect, hear } = newAttached();
  service.release(accepted(5));
  service.disconnected();
  expect(service.counters.attached).toBe(false);
  service.release(egress(0, 1));
  const again = connect();
  hear(attached(0));
  expect(again.told).toEqual([attach(3), egress(0, 1), accepted(5)]);
  const other = connect();
  hear(attached(null, 10));
  service.release(accepted(6));
  service.release(accepted(1, 10));
  expect(other.told).toEqual([attach(3), accepted(1, 10)]);
});

test("the announcement is for the first gateway that lets this life in", () => {
  const { service, connect, hear } = newService();
  service.goLive(3, 2, announcement);
  connect();
  hear(attached(null));
  const again = connect();
  hear(attached(null));
  expect(again.told).toEqual([attach(3)]);
});

test("the history is bounded, and resent in messages that are no longer than they may be", () => {
  const { service, connect, hear } = newService();
  const count = Math.ceil((2 * egressHistoryBytes) / frameBytesMax / 10) * 10;
  for (let first = 0; first < count; first += 10) {
    service.remember({ kind: "egress", ...run(first, 10, frameBytesMax) });
  }
  const connection = connect();
  service.goLive(3, 2, null);
  hear(attached(0));
  const sent = connection.told.flatMap((told) => (told.kind === "egress" ? [told] : []));
  const numbers = sent.flatMap(({ first, frames }) => frames.map((_, i) => first + i));
  const kept = Math.ceil(egressHistoryBytes / frameBytesMax);
  expect(numbers.length).toBeGreaterThanOrEqual(kept);
  expect(numbers.length).toBeLessThan(kept + 10);
  expect(numbers).toEqual(numbers.map((_, i) => count - numbers.length + i));
  const inside = sent.flatMap(({ frames }) => frames.map(numberIn));
  expect(inside).toEqual(numbers);
  expect(sent.length).toBe(
    Math.ceil((numbers.length * frameBytesMax) / (gatewayMessageBytesMax - frameBytesMax)),
  );
});

test("a gateway that does not read loses frames, and is told of acceptances all the same", () => {
  const { service, connection } = newAttached();
  connection.queuedBytes = egressQueueBytesMax + 1;
  service.release(egress(0, 3));
  service.release(accepted(4));
  connection.queuedBytes = egressQueueBytesMax;
  service.release(egress(3, 1));
  expect(connection.told).toEqual([accepted(4), egress(3, 1)]);
  expect(service.counters).toMatchObject({ egressFrames: 1, egressDropped: 3 });
});

test("frames for the guest are handed on with the gateway's number, also after a gap", () => {
  const { service, ingress, hear } = newAttached();
  hear({ kind: "ingress", ...run(4, 2) });
  hear({ kind: "ingress", ...run(8, 1) });
  expect(ingress).toEqual([
    { kind: "ingress", gateway: 9, ...run(4, 2) },
    { kind: "ingress", gateway: 9, ...run(8, 1) },
  ]);
  expect(service.counters).toMatchObject({ ingressFrames: 3, ingressBytes: 180 });
});

test("no more frames are taken than may wait, until some are accepted", () => {
  const { service, ingress, hear } = newAttached();
  hear({ kind: "ingress", ...run(0, ingressInFlightFramesMax - 1) });
  hear({ kind: "ingress", ...run(ingressInFlightFramesMax - 1, 3) });
  hear({ kind: "ingress", ...run(ingressInFlightFramesMax + 2, 1) });
  expect(ingress.slice(1)).toEqual([
    { kind: "ingress", gateway: 9, ...run(ingressInFlightFramesMax - 1, 1) },
  ]);
  expect(service.counters.ingressDropped).toBe(3);
  service.release(accepted(10));
  hear({ kind: "ingress", ...run(ingressInFlightFramesMax + 3, 10) });
  expect(ingress.at(-1)?.frames.length).toBe(10);
  expect(service.counters.ingressDropped).toBe(3);
});

test("bytes that wait to be accepted have a bound of their own", () => {
  const { service, hear } = newAttached();
  let first = 0;
  while (service.counters.ingressDropped === 0) {
    hear({ kind: "ingress", ...run(first, 20, frameBytesMax) });
    first += 20;
  }
  expect(service.counters.ingressFrames).toBe(Math.floor((1024 * 1024) / frameBytesMax));
});

test("a later epoch of the same primary is told, an older or the same one is not", () => {
  const { service, connection, connect } = newAttached();
  for (const epoch of [2, 3, 4, 4, 7]) service.setEpoch(epoch);
  expect(connection.told).toEqual([
    { kind: "renew", epoch: 4 },
    { kind: "renew", epoch: 7 },
  ]);
  expect(connect().told).toEqual([attach(7)]);
});

test("an epoch that comes before the gateway has answered is told as well", () => {
  const { service, connect } = newService();
  const connection = connect();
  service.goLive(3, 2, null);
  service.setEpoch(4);
  expect(connection.told).toEqual([attach(3), { kind: "renew", epoch: 4 }]);
});

test("who is live already and is told so again keeps its attachment", () => {
  const { service, connection, reports } = newAttached();
  service.goLive(3, 2, announcement);
  service.goLive(4, 2, announcement);
  expect(connection).toMatchObject({ told: [{ kind: "renew", epoch: 4 }], ended: false });
  expect(reports).toEqual([]);
});

test("who resigns ends its attachment, and what still comes is of no interest", () => {
  const { service, connection, ingress, hear, connect } = newAttached();
  service.resign();
  expect(connection.ended).toBe(true);
  hear({ kind: "ingress", ...run(0, 1) });
  service.release(egress(0));
  service.release(accepted(1));
  expect(ingress).toEqual([]);
  expect(service.counters.attached).toBe(false);
  expect(connect().told).toEqual([]);
});

test.each(closeReasons)(
  "refused with %s: it is said once, and the same is tried again",
  (reason) => {
    const { service, reports, hear, connect } = newService();
    service.goLive(3, 2, null);
    for (let i = 0; i < 3; i++) {
      const connection = connect();
      expect(connection.told).toEqual([attach(3)]);
      hear({ kind: "closed", reason, epoch: 4 });
      expect(connection.ended).toBe(true);
      expect(service.isLive).toBe(false);
    }
    expect(reports).toEqual([{ kind: "refused", reason, epoch: 4 }]);
    service.setEpoch(5);
    expect(service.isLive).toBe(true);
    const connection = connect();
    hear(attached(null));
    service.release(egress(0));
    expect(connection.told).toEqual([attach(5), egress(0)]);
  },
);

const standby = () => {
  const parts = newService();
  parts.connect();
  return parts;
};
const asking = () => {
  const parts = standby();
  parts.service.goLive(3, 2, null);
  return parts;
};
const behind = () => {
  const parts = newAttached();
  parts.hear({ kind: "ingress", ...run(10, 2) });
  return parts;
};
const violations: [string, () => ReturnType<typeof newService>, GatewayMessage][] = [
  ["attached, which was not asked for", standby, attached(null)],
  ["attached for the second time", newAttached, attached(null)],
  ["frames for a standby", standby, { kind: "ingress", ...run(0) }],
  ["frames before it attached", asking, { kind: "ingress", ...run(0) }],
  ["a frame again", behind, { kind: "ingress", ...run(11) }],
  ["frames whose numbers go back", behind, { kind: "ingress", ...run(3, 20) }],
  ["attach", newAttached, attach(3)],
  ["renew", newAttached, { kind: "renew", epoch: 4 }],
  ["egress", newAttached, egress(0)],
  ["ingressAccepted", newAttached, accepted(0)],
  ["announce", newAttached, announce],
  ["ping", newAttached, { kind: "ping" }],
];

test.each(violations)("a gateway that says %s breaks the protocol", (_, begin, message) => {
  const { hear, ingress } = begin();
  const before = ingress.length;
  expect(() => hear(message)).toThrow(expect.objectContaining({ name: "GatewayProtocolError" }));
  expect(ingress.length).toBe(before);
});

test("bytes that are no message break the protocol too, and a pong breaks nothing", () => {
  const { service, hear } = newAttached();
  expect(() => service.receive(Uint8Array.of(1, 2, 3))).toThrow(
    expect.objectContaining({ name: "BytesError" }),
  );
  const pong: GatewayToRunner = { kind: "pong" };
  hear(pong);
});

test("the console's outputs are not the network's", () => {
  const { service, connection } = newAttached();
  const printed = { kind: "console", position: 0, bytes: frame(1) } as const;
  service.remember(printed);
  service.release(printed);
  service.release({ kind: "accepted", writer: 1, position: 1 });
  expect(connection.told).toEqual([]);
});
