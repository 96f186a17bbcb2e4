import { beforeEach, describe, expect, test } from "@jest/globals";
import { FakeNetwork, FakeRunner, frame, number, recordOf } from "../../test/fake-gateway-peers.ts";
import { BytesError } from "../shared/bytes.ts";
import {
  egressQueueBytesMax,
  frameBytesMax,
  gatewayMessageBytesMax,
  gatewayRunnersMax,
  ingressAgeMsMax,
  ingressInFlightBytesMax,
  ingressInFlightFramesMax,
} from "../shared/limits.ts";
import { encodeGatewayMessage } from "../shared/protocol/gateway.ts";
import { Gateway, RunnerProtocolError } from "./gateway.ts";

let reads: number;
let gateway: Gateway;
let network: FakeNetwork;
beforeEach(() => {
  reads = 0;
  gateway = new Gateway({
    vm: "v",
    gateway: number,
    readRecord: () => reads++,
    onReport: () => {},
  });
  network = new FakeNetwork();
  gateway.setNetwork(network);
});

describe("before the record was read", () => {
  test("it is asked for at once, and again at ticks, one question at a time", () => {
    expect(reads).toBe(1);
    gateway.tick(0);
    expect(reads).toBe(1);
    gateway.onRecordUnreadable();
    gateway.tick(1);
    expect(reads).toBe(2);
    gateway.onRecord(null);
    gateway.tick(2);
    expect(reads).toBe(3);
    gateway.onRecord(recordOf(1, "a"));
    gateway.tick(3);
    expect(reads).toBe(3);
  });

  test("nobody is let in, whatever it claims; a record that is missing changes nothing", () => {
    const a = new FakeRunner(gateway).attach("a", 1);
    gateway.onRecordUnreadable();
    gateway.tick(0);
    gateway.onRecord(null);
    a.egress(0, 1);
    expect([a.kinds, gateway.attached, gateway.epoch]).toEqual([[], null, null]);
    expect([network.sent, gateway.counters.egressFenced]).toEqual([[], 1]);
  });

  test("claims wait, and are judged when it is there", () => {
    const b = new FakeRunner(gateway).attach("b", 2);
    const a = new FakeRunner(gateway).attach("a", 1);
    gateway.onRecord(recordOf(2, "b"));
    expect(a.reason).toBe("stale epoch");
    expect(b.kinds).toEqual(["attached"]);
    expect(gateway.attached).toEqual({ nonce: "b", epoch: 2 });
  });

  test("a claim that is renewed while it waits counts with its later epoch", () => {
    const a = new FakeRunner(gateway).attach("a", 1);
    a.says({ kind: "renew", epoch: 3 });
    gateway.onRecord(recordOf(3, "a"));
    expect(gateway.attached).toEqual({ nonce: "a", epoch: 3 });
  });
});

describe("whose frames count", () => {
  test.each([
    ["the primary of the record", "a", 5, null],
    ["anybody of a later epoch", "x", 6, null],
    ["another runner of the same epoch", "x", 5, "not the primary"],
    ["the primary of an earlier epoch", "a", 4, "stale epoch"],
  ])("%s", (_, nonce, epoch, reason) => {
    gateway.onRecord(recordOf(5, "a"));
    const runner = new FakeRunner(gateway).attach(nonce, epoch);
    expect(runner.reason).toBe(reason);
    expect(gateway.attached).toEqual(reason === null ? { nonce, epoch } : null);
    expect(runner.ended).toBe(reason !== null);
  });

  test("nobody's, where the record names nobody", () => {
    gateway.onRecord(recordOf(5, null));
    expect(new FakeRunner(gateway).attach("a", 5).reason).toBe("not the primary");
  });

  test("a later epoch closes the earlier one out, and what that one still sends is fenced", () => {
    const a = attached("a", 1);
    a.egress(0, 1);
    const b = new FakeRunner(gateway).attach("b", 2);
    expect(a.messages.at(-1)).toEqual({ kind: "closed", reason: "superseded", epoch: 2 });
    a.egress(1, 2, 3);
    a.says({ kind: "announce", frame: frame(4) });
    a.accepts(0);
    a.says({ kind: "renew", epoch: 9 });
    a.says({ kind: "attach", nonce: "a", epoch: 9, life: 0 });
    b.egress(1, 5);
    expect(network.sent).toEqual([1, 5]);
    expect(gateway.counters.egressFenced).toBe(4);
    expect(gateway.attached).toEqual({ nonce: "b", epoch: 2 });
    expect(gateway.counters.failovers).toBe(1);
  });

  test("the primary that comes again by another connection is let in, and is no failover", () => {
    const lost = attached("a", 1);
    const again = new FakeRunner(gateway).attach("a", 1);
    expect([lost.reason, again.reason]).toEqual(["superseded", null]);
    gateway.leave(lost.link);
    expect(gateway.attached).toEqual({ nonce: "a", epoch: 1 });
    expect(gateway.counters.failovers).toBe(0);
  });

  test("a guest that was booted anew numbers its frames anew, and none is taken for a repeated one", () => {
    const first = attached("a", 1);
    first.egress(0, 1, 2, 3);
    const reborn = new FakeRunner(gateway).attach("b", 4, 3);
    expect(reborn.messages).toEqual([{ kind: "attached", gateway: number, egressNext: null }]);
    reborn.egress(0, 4, 5);
    const takeover = new FakeRunner(gateway).attach("c", 5, 3);
    expect(takeover.messages).toEqual([{ kind: "attached", gateway: number, egressNext: 2 }]);
    takeover.egress(1, 5, 6);
    expect(network.sent).toEqual([1, 2, 3, 4, 5, 6]);
    const thawed = new FakeRunner(gateway).attach("a", 2, 0);
    expect(thawed.reason).toBe("stale epoch");
  });

  test("a life cannot have begun after the epoch in which it is claimed", () => {
    gateway.onRecord(recordOf(1, "a"));
    expect(() => new FakeRunner(gateway).attach("a", 2, 3)).toThrow(RunnerProtocolError);
    expect(gateway.attached).toBeNull();
  });

  test("an epoch that was renewed closes the door to the ones before", () => {
    const a = attached("a", 1);
    a.says({ kind: "renew", epoch: 4 });
    expect([gateway.epoch, gateway.attached]).toEqual([4, { nonce: "a", epoch: 4 }]);
    expect(new FakeRunner(gateway).attach("b", 3).reason).toBe("stale epoch");
    expect(new FakeRunner(gateway).attach("b", 4).reason).toBe("not the primary");
    expect(new FakeRunner(gateway).attach("b", 5).reason).toBeNull();
  });

  test("a primary that left may come back, but not one of an earlier epoch", () => {
    const a = attached("a", 3);
    gateway.leave(a.link);
    expect(gateway.attached).toBeNull();
    expect(new FakeRunner(gateway).attach("b", 2).reason).toBe("stale epoch");
    expect(new FakeRunner(gateway).attach("a", 3).reason).toBeNull();
  });

  test("what the record said before is not asked for again, and changes nothing", () => {
    const a = attached("a", 3);
    gateway.onRecord(recordOf(2, "b"));
    expect([gateway.attached, a.reason]).toEqual([{ nonce: "a", epoch: 3 }, null]);
    expect([gateway.epoch, new FakeRunner(gateway).attach("b", 2).reason]).toEqual([
      3,
      "stale epoch",
    ]);
  });

  test("more connections than a VM can have runners are turned away, until some leave", () => {
    const runners = Array.from({ length: gatewayRunnersMax }, () => new FakeRunner(gateway));
    const more = new FakeRunner(gateway);
    expect([more.reason, more.ended]).toEqual(["too many runners", true]);
    gateway.leave(more.link);
    const [first] = runners;
    if (first !== undefined) gateway.leave(first.link);
    expect(new FakeRunner(gateway).reason).toBeNull();
  });
});

describe("frames of the guest", () => {
  test("a runner is told which one is wanted next: none before there was one", () => {
    const a = attached("a", 1);
    expect(a.messages).toEqual([{ kind: "attached", gateway: number, egressNext: null }]);
    a.egress(40, 1, 2);
    const b = new FakeRunner(gateway).attach("b", 2);
    expect(b.messages).toEqual([{ kind: "attached", gateway: number, egressNext: 42 }]);
  });

  test("repeated ones are dropped, missing ones are not waited for", () => {
    const a = attached("a", 1);
    a.egress(10, 10, 11);
    a.egress(10, 10, 11, 12);
    a.egress(5, 5);
    a.egress(20, 20);
    a.egress(13, 13);
    expect(network.sent).toEqual([10, 11, 12, 20]);
    expect(gateway.counters).toMatchObject({ egressFrames: 4, egressBytes: 80, egressRepeated: 4 });
  });

  test("an announcement has no number and goes out at once", () => {
    const a = attached("a", 1);
    a.egress(3, 3);
    a.says({ kind: "announce", frame: frame(9) });
    a.egress(4, 4);
    expect(network.sent).toEqual([3, 9, 4]);
  });

  test("what the network does not read is dropped at the bound, and when it is gone", () => {
    const a = attached("a", 1);
    network.queuedBytes = egressQueueBytesMax - 20;
    a.egress(0, 0);
    network.queuedBytes++;
    a.egress(1, 1);
    gateway.setNetwork(null);
    a.egress(2, 2);
    gateway.setNetwork(network);
    network.queuedBytes = 0;
    a.egress(3, 3);
    expect(network.sent).toEqual([0, 3]);
    expect(gateway.counters.egressDropped).toBe(2);
  });
});

describe("frames for the guest", () => {
  test("are sent at once to whoever is attached, with numbers", () => {
    const a = attached("a", 1);
    take(1, 2);
    take(3);
    expect(a.given).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
    ]);
  });

  test("that nobody confirmed are sent to the next one, in order, and new ones after them", () => {
    take(1);
    const a = attached("a", 1);
    take(2, 3, 4);
    a.accepts(2);
    gateway.leave(a.link);
    take(5);
    const b = new FakeRunner(gateway).attach("b", 2);
    take(6);
    expect(b.given).toEqual([
      [2, 3],
      [3, 4],
      [4, 5],
      [5, 6],
    ]);
  });

  test("that another gateway process numbered are confirmed in vain", () => {
    const a = attached("a", 1);
    take(1);
    a.accepts(50, number + 1);
    expect(gateway.inFlight).toEqual({ frames: 1, bytes: 20 });
  });

  test("that came together go on in one message", () => {
    const a = attached("a", 1);
    gateway.onFrames([frame(1), new Uint8Array(1), frame(2)], 0);
    const frames = [frame(1), frame(2)];
    expect(a.messages.at(-1)).toEqual({ kind: "ingress", first: 0, frames });
    expect(gateway.counters).toMatchObject({ ingressFrames: 2, malformed: 1 });
  });

  test("beyond the bound are dropped, the newest first, until some are confirmed", () => {
    const a = attached("a", 1);
    for (let i = 0; i < ingressInFlightFramesMax + 3; i++) take(i % 256);
    expect(gateway.counters).toMatchObject({
      ingressFrames: ingressInFlightFramesMax,
      ingressDropped: 3,
    });
    a.accepts(1);
    take(99);
    expect(a.given.at(-1)).toEqual([ingressInFlightFramesMax, 99]);
  });

  test("that waited too long are forgotten, and not sent to the next one", () => {
    gateway.onFrames([frame(1)], 0);
    gateway.onFrames([frame(2)], 10);
    gateway.tick(ingressAgeMsMax + 5);
    expect(gateway.counters.ingressExpired).toBe(1);
    expect(attached("a", 1).given).toEqual([[1, 2]]);
  });

  test("fill messages up to their bound, and not beyond it", () => {
    const count = Math.floor(ingressInFlightBytesMax / frameBytesMax);
    for (let i = 0; i < count; i++) gateway.onFrames([new Uint8Array(frameBytesMax)], 0);
    const a = attached("a", 1);
    expect(a.given).toHaveLength(count);
    expect(Math.max(...a.sizes)).toBeLessThanOrEqual(gatewayMessageBytesMax);
    const atBest = Math.ceil(ingressInFlightBytesMax / gatewayMessageBytesMax);
    expect(a.sizes.length - 1).toBeLessThanOrEqual(atBest + 1);
  });

  test("are not heaped up before a runner that reads nothing", () => {
    const a = attached("a", 1);
    a.queuedBytes = ingressInFlightBytesMax + 1;
    take(1, 2);
    expect(a.given).toEqual([]);
    a.queuedBytes = 0;
    gateway.tick(1);
    expect(a.given).toEqual([
      [0, 1],
      [1, 2],
    ]);
  });
});

test.each([[0], [13], [frameBytesMax + 1]])("a frame of %d bytes is malformed", (bytes) => {
  const a = attached("a", 1);
  gateway.onFrames([new Uint8Array(bytes)], 0);
  expect([a.given, gateway.counters.malformed]).toEqual([[], 1]);
});

const broken: [string, () => void][] = [
  ["attaches twice", () => attached("a", 1).attach("a", 2)],
  ["renews before it attached", () => new FakeRunner(gateway).says({ kind: "renew", epoch: 1 })],
  ["renews to an earlier epoch", () => attached("a", 2).says({ kind: "renew", epoch: 1 })],
  ["confirms what was never sent", () => attached("a", 1).accepts(1)],
];
test.each(broken)("a runner that %s is hung up on", (_, breaks) => {
  expect(breaks).toThrow(RunnerProtocolError);
});

test("a ping is answered whatever the runner is, but for one that was told to go", () => {
  const waiting = new FakeRunner(gateway);
  waiting.says({ kind: "ping" });
  expect(waiting.kinds).toEqual(["pong"]);
  gateway.onRecord(recordOf(2, "b"));
  const refused = new FakeRunner(gateway).attach("a", 1);
  refused.says({ kind: "ping" });
  expect(refused.kinds).toEqual(["closed"]);
});

test("what only gateways say, and what nobody says, is refused", () => {
  const runner = new FakeRunner(gateway);
  const said = encodeGatewayMessage({ kind: "attached", gateway: 1, egressNext: null });
  expect(() => gateway.receive(runner.link, said)).toThrow(RunnerProtocolError);
  expect(() => gateway.receive(runner.link, new Uint8Array(3))).toThrow(BytesError);
});

function attached(nonce: string, epoch: number): FakeRunner {
  gateway.onRecord(recordOf(epoch, nonce));
  return new FakeRunner(gateway).attach(nonce, epoch);
}

function take(...marks: number[]): void {
  for (const mark of marks) gateway.onFrames([frame(mark)], 0);
}
