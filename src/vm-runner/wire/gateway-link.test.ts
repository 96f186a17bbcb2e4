import { randomBytes } from "node:crypto";
import { once } from "node:events";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import tls, { type TLSSocket } from "node:tls";
import { afterEach, expect, test } from "@jest/globals";
import { pskBytes, pskServerOptions } from "../../platform/psk.ts";
import { WriteTurn } from "../../platform/write-turn.ts";
import { FrameReader, frame } from "../../shared/framing.ts";
import { gatewayMessageBytesMax } from "../../shared/limits.ts";
import {
  decodeGatewayMessage,
  encodeGatewayMessage,
  type GatewayMessage,
} from "../../shared/protocol/gateway.ts";
import { NetworkService } from "../network/network-service.ts";
import { GatewayLink } from "./gateway-link.ts";

const key = randomBytes(pskBytes);
const cleanUps: (() => void)[] = [];

afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

/** One runner's connection, as a gateway sees it. */
interface Caller {
  readonly heard: GatewayMessage[];
  /** Messages in each piece that came. */
  readonly pieces: number[];
  isClosed: boolean;
  say(message: GatewayMessage): void;
  sayBytes(bytes: Uint8Array): void;
  hangUp(): void;
}

async function newGateway(options: { port?: number; key?: Uint8Array; answers?: boolean } = {}) {
  const callers: Caller[] = [];
  const keys = new Map([["vm-1", options.key ?? key]]);
  const server = tls.createServer(pskServerOptions(keys), (socket) => {
    callers.push(newCaller(socket, options.answers ?? true));
  });
  const refused = { count: 0 };
  server.on("tlsClientError", () => refused.count++);
  const port = await listen(server, options.port ?? 0);
  const close = () => {
    server.close();
    for (const caller of callers) caller.hangUp();
  };
  cleanUps.push(close);
  return { port, callers, refused, close };
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  // SAFETY: the server listens on a TCP port.
  return (server.address() as AddressInfo).port;
}

function newCaller(socket: TLSSocket, answers: boolean): Caller {
  const reader = new FrameReader(gatewayMessageBytesMax);
  const caller: Caller = {
    heard: [],
    pieces: [],
    isClosed: false,
    say: (message) => caller.sayBytes(encodeGatewayMessage(message)),
    sayBytes: (bytes) => void socket.write(frame(bytes)),
    hangUp: () => socket.destroy(),
  };
  socket.on("data", (piece: Uint8Array) => {
    const messages = reader.push(piece).map((bytes) => decodeGatewayMessage(bytes));
    const others = messages.filter(({ kind }) => kind !== "ping");
    if (others.length > 0) caller.pieces.push(others.length);
    caller.heard.push(...others);
    if (answers && others.length < messages.length) caller.say({ kind: "pong" });
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    caller.isClosed = true;
  });
  return caller;
}

function newLink(port: number) {
  const problems: string[] = [];
  const turn = new WriteTurn();
  const service = new NetworkService({ nonce: "me", onIngress: () => {}, onReport: () => {} });
  const link = new GatewayLink({
    ...{ vm: "vm-1", key, gateway: { host: "127.0.0.1", port }, service, turn },
    onProblem: (problem) => problems.push(problem),
  });
  cleanUps.push(() => link.close());
  return { link, service, turn, problems };
}

/** Waits until `look` finds something. */
async function until<T>(what: string, look: () => T | null | undefined | false): Promise<T> {
  const endMs = performance.now() + 20_000;
  for (;;) {
    const found = look();
    if (found) return found;
    if (performance.now() > endMs) throw new Error(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const attach = { kind: "attach", nonce: "me", epoch: 3, life: 2 } as const;
const attached = { kind: "attached", gateway: 9, egressNext: null } as const;
const oneFrame = (first: number) => {
  return { kind: "egress", first, frames: [new Uint8Array(60)] } as const;
};

test("a standby is connected already when it goes live, and says nothing before", async () => {
  const gateway = await newGateway();
  const { service, link } = newLink(gateway.port);
  const caller = await until("a connection", () => gateway.callers[0]);
  expect(caller.heard).toEqual([]);
  service.goLive(3, 2, null);
  link.hurry();
  await until("attach", () => caller.heard.length > 0);
  caller.say(attached);
  await until("attached", () => service.counters.attached);
  expect(caller.heard).toEqual([attach]);
  expect(gateway.callers.length).toBe(1);
});

test("what is released in one turn leaves as one write", async () => {
  const gateway = await newGateway();
  const { service, turn } = newLink(gateway.port);
  const caller = await until("a connection", () => gateway.callers[0]);
  service.goLive(3, 2, null);
  await until("attach", () => caller.heard.length > 0);
  caller.say(attached);
  await until("attached", () => service.counters.attached);
  turn.run(() => {
    for (let first = 0; first < 5; first++) service.release(oneFrame(first));
  });
  await until("five frames", () => caller.heard.length === 6);
  expect(caller.pieces).toEqual([1, 5]);
});

test("a gateway that comes later, and one that comes back, is found and attached to", async () => {
  const before = await newGateway();
  before.close();
  const { service, problems } = newLink(before.port);
  await until("a problem", () => problems.length > 0);
  expect(problems).toEqual([expect.stringContaining("ECONNREFUSED")]);
  service.goLive(3, 2, null);
  const gateway = await newGateway({ port: before.port });
  const first = await until("a connection", () => gateway.callers[0]);
  await until("attach", () => first.heard.length > 0);
  first.hangUp();
  const second = await until("another connection", () => gateway.callers[1]);
  await until("attach", () => second.heard.length > 0);
  expect([first.heard, second.heard]).toEqual([[attach], [attach]]);
  expect(problems.length).toBe(1);
});

test("a link that is told to redials a gateway that answers, and loses no frame by it", async () => {
  const gateway = await newGateway();
  const { link, service, problems } = newLink(gateway.port);
  const first = await until("a connection", () => gateway.callers[0]);
  service.goLive(3, 2, null);
  await until("attach", () => first.heard.length > 0);
  first.say(attached);
  await until("attached", () => service.counters.attached);
  service.release(oneFrame(0));
  link.redial();
  const second = await until("another connection", () => gateway.callers[1]);
  await until("attach", () => second.heard.length > 0);
  await until("the end of the first", () => first.isClosed);
  expect(service.counters.attached).toBe(false);
  second.say({ ...attached, egressNext: 0 });
  await until("the frame again", () => second.heard.length > 1);
  expect(second.heard).toEqual([attach, oneFrame(0)]);
  expect(problems).toEqual([]);
});

test("a link that waits to dial again does it at once when it is told to", async () => {
  const before = await newGateway();
  before.close();
  const { link, problems } = newLink(before.port);
  await until("a problem", () => problems.length > 0);
  const gateway = await newGateway({ port: before.port });
  link.redial();
  await until("a connection", () => gateway.callers[0]);
  expect(gateway.callers.length).toBe(1);
});

test("a wrong key is said once, however often it is tried, and tried it is", async () => {
  const gateway = await newGateway({ key: randomBytes(pskBytes) });
  const { service, problems } = newLink(gateway.port);
  service.goLive(3, 2, null);
  await until("three refusals", () => gateway.refused.count >= 3);
  expect(problems).toEqual([
    `the gateway at 127.0.0.1:${gateway.port} has another key than ours for VM vm-1, or none`,
  ]);
  expect(gateway.callers).toEqual([]);
});

test.each([
  ["no message", (caller: Caller) => caller.sayBytes(Uint8Array.of(1, 2, 3))],
  ["what no gateway says", (caller: Caller) => caller.say(attach)],
  ["what was not asked for", (caller: Caller) => caller.say(attached)],
])("a gateway that says %s is hung up on, and dialled again", async (_, misbehave) => {
  const gateway = await newGateway();
  const { problems } = newLink(gateway.port);
  const caller = await until("a connection", () => gateway.callers[0]);
  misbehave(caller);
  await until("the end", () => caller.isClosed);
  await until("another connection", () => gateway.callers[1]);
  expect(problems).toEqual([expect.stringContaining("the gateway broke the protocol: ")]);
});

test("a gateway that answers no pings is hung up on, and dialled again", async () => {
  const gateway = await newGateway({ answers: false });
  const { problems } = newLink(gateway.port);
  const caller = await until("a connection", () => gateway.callers[0]);
  await until("the end", () => caller.isClosed);
  await until("another connection", () => gateway.callers[1]);
  expect(problems).toEqual([`the gateway at 127.0.0.1:${gateway.port} says nothing any more`]);
}, 30_000);

test("who listens and never answers the handshake is given up, and dialled again", async () => {
  const sockets: Socket[] = [];
  const server = net.createServer((socket) => sockets.push(socket.on("error", () => {})));
  cleanUps.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const { service, problems } = newLink(await listen(server, 0));
  service.goLive(3, 2, null);
  await until("a second dial", () => sockets.length > 1);
  expect(problems).toEqual([expect.stringContaining("it does not answer")]);
}, 30_000);

test("a link that is closed hangs up and dials no more", async () => {
  const gateway = await newGateway();
  const { link, service, problems } = newLink(gateway.port);
  service.goLive(3, 2, null);
  const caller = await until("a connection", () => gateway.callers[0]);
  link.close();
  await until("the end", () => caller.isClosed);
  // A dial would come after 20 ms: other connections, made later, have come long after it.
  for (let i = 0; i < 5; i++) {
    const other = newLink(gateway.port);
    await until("another connection", () => gateway.callers[i + 1]);
    other.link.close();
  }
  expect(gateway.callers.length).toBe(6);
  expect(gateway.callers.slice(1).flatMap(({ heard }) => heard)).toEqual([]);
  expect(problems).toEqual([]);
});
