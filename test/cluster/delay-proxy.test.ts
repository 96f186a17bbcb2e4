/** The proxy changes when bytes arrive, and nothing else about them. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { afterEach, expect, jest, test } from "@jest/globals";
import { pause, until } from "../../bench/waiting.ts";
import { bytesInFlightMax, DelayProxy, type DelayProxyOptions } from "./delay-proxy.ts";

const host = "127.0.0.1";
const longMs = 3_600_000;
jest.setTimeout(120_000);
/** What the kernel may hold on either side of the proxy, and the streams of both ends. */
const kernelBytesMax = 64 << 20;
const endings: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

interface Ends {
  readonly proxy: DelayProxy;
  readonly client: net.Socket;
  /** The server's end of the same connection. */
  readonly server: net.Socket;
}

async function listen(): Promise<{ listener: net.Server; port: number }> {
  const listener = net.createServer({ allowHalfOpen: true }).listen(0, host);
  await once(listener, "listening");
  endings.push(() => void listener.close());
  const address = listener.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return { listener, port: address.port };
}

async function connect(options: Omit<DelayProxyOptions, "target"> = {}): Promise<Ends> {
  const { listener, port } = await listen();
  const proxy = await startProxy(port, options);
  const accepted = once(listener, "connection");
  const client = dial(proxy.port);
  const [server]: net.Socket[] = await accepted;
  if (server === undefined) throw new Error("nobody came");
  keep(server);
  return { proxy, client, server };
}

async function startProxy(port: number, options: Omit<DelayProxyOptions, "target">) {
  const proxy = await DelayProxy.start({ target: { host, port }, ...options });
  endings.push(() => proxy.close());
  return proxy;
}

function dial(port: number): net.Socket {
  return keep(net.connect({ host, port, allowHalfOpen: true }));
}

function keep(socket: net.Socket): net.Socket {
  socket.on("error", () => {});
  endings.push(() => void socket.destroy());
  return socket;
}

async function next(socket: net.Socket): Promise<string> {
  const [bytes]: Buffer[] = await once(socket, "data");
  return String(bytes);
}

async function readToEnd(socket: net.Socket): Promise<Buffer> {
  const pieces: Buffer[] = [];
  socket.on("data", (bytes) => pieces.push(bytes));
  await once(socket, "end");
  return Buffer.concat(pieces);
}

/** Whether it ended by an error, such as a reset. */
function closing(socket: net.Socket): Promise<boolean> {
  return new Promise((resolve) => socket.resume().once("close", resolve));
}

function someBytes(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, state = 1; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test.each([
  ["without a delay", {}],
  ["with a delay", { delayMs: 30 }],
  ["with a delay and jitter", { delayMs: 5, jitterMs: 40, seed: 7 }],
])(
  "%s, every byte arrives in order, in both directions at once, more than it holds",
  async (_, options) => {
    const { client, server } = await connect(options);
    const [there, back] = [
      someBytes(3 * bytesInFlightMax + 1),
      someBytes(2 * bytesInFlightMax + 77),
    ];
    const arrivals = Promise.all([readToEnd(server), readToEnd(client)]);
    client.end(there);
    server.end(back);
    const [atServer, atClient] = await arrivals;
    expect([atServer.length, digest(atServer)]).toEqual([there.length, digest(there)]);
    expect([atClient.length, digest(atClient)]).toEqual([back.length, digest(back)]);
  },
);

test.each([
  ["to the server", true],
  ["to the client", false],
])("what is sent %s takes at least the delay, and the same for the end", async (_, isToServer) => {
  const delayMs = 150;
  const { client, server } = await connect({ delayMs });
  const [from, to] = isToServer ? [client, server] : [server, client];
  const sentMs = performance.now();
  from.write("a");
  expect(await next(to)).toBe("a");
  expect(performance.now() - sentMs).toBeGreaterThanOrEqual(delayMs);
  const endedMs = performance.now();
  const ended = once(to.resume(), "end");
  from.end();
  await ended;
  expect(performance.now() - endedMs).toBeGreaterThanOrEqual(delayMs);
});

test("pieces that are sent one after the other are delayed side by side, not one after the other", async () => {
  const { client, server } = await connect({ delayMs: 400 });
  const arrived = readToEnd(server);
  const sentMs = performance.now();
  for (let i = 0; i < 40; i++) {
    client.write(`${i},`);
    await pause(5);
  }
  client.end();
  expect(String(await arrived)).toBe(Array.from({ length: 40 }, (_, i) => `${i},`).join(""));
  // One after the other they would take 16 s.
  expect(performance.now() - sentMs).toBeLessThan(8_000);
});

test("one side that has ended still receives", async () => {
  const { client, server } = await connect({ delayMs: 20 });
  const asked = readToEnd(server);
  client.end("question");
  expect(String(await asked)).toBe("question");
  expect(client.readableEnded).toBe(false);
  server.write("first ");
  expect(await next(client)).toBe("first ");
  const rest = readToEnd(client);
  server.end("second");
  expect(String(await rest)).toBe("second");
});

test("a delay can be changed while connections stand; what is sent later overtakes nothing", async () => {
  const delayMs = 300;
  const { proxy, client, server } = await connect({ delayMs });
  let text = "";
  server.on("data", (bytes) => {
    text += String(bytes);
  });
  const sentMs = performance.now();
  client.write("slow ");
  await until("the bytes to leave", () => (client.bytesWritten === 5 ? true : null));
  await pause(100);
  proxy.delayMs = 0;
  client.write("fast ");
  await until("both", () => (text.length === 10 ? true : null));
  expect(text).toBe("slow fast ");
  expect(performance.now() - sentMs).toBeGreaterThanOrEqual(delayMs);
  const againMs = performance.now();
  proxy.delayMs = 200;
  client.write("slow again");
  await until("the last", () => (text.endsWith("again") ? true : null));
  expect(performance.now() - againMs).toBeGreaterThanOrEqual(200);
});

test.each([
  ["the delay is long", { delayMs: longMs }, true],
  ["the receiver does not read", {}, false],
])(
  "when %s, the sender has to wait: what the proxy holds is bounded",
  async (_, options, isRead) => {
    const { client, server } = await connect(options);
    if (isRead) server.resume();
    const piece = Buffer.alloc(1 << 16);
    const total = bytesInFlightMax + 2 * kernelBytesMax;
    let accepted = 0;
    const pump = () => {
      while (accepted < total && client.write(piece)) accepted += piece.length;
    };
    client.on("drain", pump);
    pump();
    let before = -1;
    await until(
      "the sender to be stopped",
      () => {
        const isStill = accepted === before;
        before = accepted;
        return isStill ? true : null;
      },
      { everyMs: 500 },
    );
    expect(accepted).toBeLessThan(total);
    expect(client.writableNeedDrain).toBe(true);
  },
);

test("a receiver that reads again after a pause gets everything", async () => {
  const { client, server } = await connect({ delayMs: 5 });
  server.pause();
  const sent = someBytes(24 << 20);
  client.end(sent);
  await pause(300);
  const arrived = await readToEnd(server.resume());
  expect([arrived.length, digest(arrived)]).toEqual([sent.length, digest(sent)]);
});

test.each([
  ["client", true],
  ["server", false],
])("a reset by the %s reaches the other side, behind the delay", async (_, isByClient) => {
  const delayMs = 100;
  const { client, server } = await connect({ delayMs });
  const [from, to] = isByClient ? [client, server] : [server, client];
  const broken = closing(to);
  const resetMs = performance.now();
  from.resetAndDestroy();
  expect(await broken).toBe(true);
  expect(performance.now() - resetMs).toBeGreaterThanOrEqual(delayMs);
});

test("a server that refuses connections resets those who come through the proxy", async () => {
  const { listener, port } = await listen();
  listener.close();
  await once(listener, "close");
  const proxy = await startProxy(port, { delayMs: 10 });
  const client = dial(proxy.port);
  expect(await closing(client)).toBe(true);
});

test("close ends what stands, with what is on its way, and its port refuses", async () => {
  const { proxy, client, server } = await connect({ delayMs: longMs });
  client.write("never arrives");
  let arrived = 0;
  server.on("data", (bytes) => {
    arrived += bytes.length;
  });
  await until("the bytes to leave", () => (client.bytesWritten > 0 ? true : null));
  const closed = Promise.all([closing(client), closing(server)]);
  for (const socket of [client, server]) socket.once("end", () => socket.end());
  await proxy.close();
  await closed;
  expect(arrived).toBe(0);
  const [error]: NodeJS.ErrnoException[] = await once(dial(proxy.port), "error");
  expect(error?.code).toBe("ECONNREFUSED");
});
