/**
 * The web page of a pair: how both halves are, the guest's console, and a button to kill either
 * half. It shows a root shell, so it is for the user who started the pair alone: it listens on
 * 127.0.0.1, wants a token that `up` prints (kept in a cookie afterwards), and answers only when
 * the browser says that it was asked by this page (Host against DNS rebinding, Origin against
 * other sites).
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import http, { type IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import express, { type Express } from "express";
import { type WebSocket, WebSocketServer } from "ws";
import { exitCodes } from "../shared/exit-codes.ts";
import { CommandError } from "./command-error.ts";
import { ConsoleClient } from "./console-client.ts";
import { describeEvent, type HalfView, type PairEvent, type PairView } from "./pair/events.ts";
import type { Pair } from "./pair/pair.ts";

/** What the page needs of a pair. */
type ShownPair = Pick<Pair, "vm" | "key" | "consoles" | "view" | "kill">;

export interface WebPage {
  /** Where to point a browser, token included. */
  readonly address: string;
  /** Until then, requests are answered with 503. */
  show(pair: ShownPair): void;
  onView(view: PairView): void;
  onEvent(event: PairEvent): void;
  close(): Promise<void>;
}

/** Events that a page opened later still sees. */
const eventsMax = 200;
/** A keyboard or a paste; more in one message is no typing. */
const typedBytesMax = 1024 * 1024;
/** A page that does not read is hung up on. */
const queuedBytesMax = 4 * 1024 * 1024;
const pageDirectory = fileURLToPath(new URL("../../src/cli/page/", import.meta.url));

/** @throws CommandError when the port cannot be had. `port` 0: any free one. */
export async function openWebPage(port: number): Promise<WebPage> {
  const page = new Page();
  const server = http.createServer();
  await listen(server, port);
  page.port = (server.address() as AddressInfo).port; // SAFETY: it listens on a TCP port.
  server.on("request", pageApp(page));
  server.on("upgrade", (request, socket, head) => page.upgrade(request, socket, head));
  return {
    address: `http://127.0.0.1:${page.port}/?token=${page.token}`,
    show: (pair) => {
      page.pair = pair;
    },
    onView: (view) => page.tellAll({ kind: "view", view }),
    onEvent: (event) => page.keep({ kind: "event", atMs: Date.now(), text: describeEvent(event) }),
    close: async () => {
      page.closeSockets();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Told =
  | { readonly kind: "view"; readonly view: PairView }
  | { readonly kind: "event"; readonly atMs: number; readonly text: string };

class Page {
  readonly token = randomBytes(24).toString("hex");
  port = 0;
  pair: ShownPair | null = null;
  readonly #events: Told[] = [];
  readonly #sockets = new WebSocketServer({ noServer: true, maxPayload: typedBytesMax });
  readonly #listeners = new Set<WebSocket>();

  get cookie(): string {
    return `lockstep-${this.port}`;
  }

  /** Was this asked by a page of ours, with the token? */
  trusts({ headers }: IncomingMessage): boolean {
    const cookies = (headers.cookie ?? "").split(";").map((part) => part.trim());
    const given = cookies.find((part) => part.startsWith(`${this.cookie}=`));
    return this.isOwnHost(headers.host) && this.isToken(given?.slice(this.cookie.length + 1));
  }

  isOwnHost(host: string | undefined): boolean {
    return host === `127.0.0.1:${this.port}` || host === `localhost:${this.port}`;
  }

  /** A browser names the page that asks; only our own may change something. */
  isOwnOrigin({ headers }: IncomingMessage): boolean {
    return headers.origin === `http://${headers.host}`;
  }

  isToken(given: unknown): boolean {
    if (typeof given !== "string" || given.length !== this.token.length) return false;
    return timingSafeEqual(Buffer.from(given), Buffer.from(this.token));
  }

  keep(told: Told): void {
    this.#events.push(told);
    if (this.#events.length > eventsMax) this.#events.shift();
    this.tellAll(told);
  }

  tellAll(told: Told): void {
    for (const socket of this.#listeners) tell(socket, JSON.stringify(told));
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { pair } = this;
    const where = request.url;
    const isKnown = where === "/live" || where === "/console";
    if (!this.trusts(request) || !this.isOwnOrigin(request) || !isKnown || pair === null) {
      socket.end("HTTP/1.1 403 Forbidden\r\nconnection: close\r\n\r\n");
      return;
    }
    this.#sockets.handleUpgrade(request, socket, head, (opened) => {
      opened.on("error", () => opened.terminate());
      if (where === "/live") this.#showLive(opened, pair);
      else showConsole(opened, pair);
    });
  }

  closeSockets(): void {
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  #showLive(socket: WebSocket, pair: ShownPair): void {
    this.#listeners.add(socket);
    socket.on("close", () => this.#listeners.delete(socket));
    for (const told of this.#events) tell(socket, JSON.stringify(told));
    tell(socket, JSON.stringify({ kind: "view", view: pair.view } satisfies Told));
  }
}

function tell(socket: WebSocket, data: string | Uint8Array): void {
  if (socket.bufferedAmount > queuedBytesMax) socket.terminate();
  else if (socket.readyState === socket.OPEN) socket.send(data);
}

/** The console's bytes in both directions, as binary messages. */
function showConsole(socket: WebSocket, { vm, key, consoles }: ShownPair): void {
  const client = new ConsoleClient({
    ...{ vm, key, endpoints: consoles, position: null },
    onOutput: (bytes) => tell(socket, bytes),
    onRoom: () => socket.resume(),
    onRefused: () => socket.terminate(),
  });
  socket.on("close", () => client.close());
  socket.on("message", (data) => {
    if (Buffer.isBuffer(data) && !client.write(data)) socket.pause();
  });
}

function pageApp(page: Page): Express {
  const app = express();
  app.disable("x-powered-by");
  app.use((request, response, next) => {
    response.set(securityHeaders);
    if (!page.isOwnHost(request.headers.host)) {
      response.status(403).type("text").send("This page is served on 127.0.0.1 alone.\n");
      return;
    }
    if (request.method === "GET" && page.isToken(request.query["token"])) {
      const options = { httpOnly: true, sameSite: "strict", path: "/" } as const;
      response.cookie(page.cookie, page.token, options).redirect("/");
      return;
    }
    if (page.trusts(request)) return next();
    const advice = "Open the address that lockstep printed: it has the token in it.\n";
    response.status(403).type("text").send(advice);
  });
  app.post("/kill/:role", async (request, response) => {
    const { role } = request.params;
    if (!page.isOwnOrigin(request) || (role !== "primary" && role !== "backup")) {
      response.status(403).json({ message: "only this page's own buttons kill" });
      return;
    }
    const killed: HalfView | null = (await page.pair?.kill(role)) ?? null;
    if (killed === null) response.status(409).json({ message: `there is no ${role} now` });
    else response.json({ half: killed.id, pid: killed.pid, nonce: killed.nonce });
  });
  app.use(express.static(pageDirectory));
  const require = createRequire(import.meta.url);
  for (const name of ["@xterm/xterm", "@xterm/addon-fit"]) {
    const directory = path.dirname(require.resolve(`${name}/package.json`));
    app.use(`/${name}`, express.static(directory));
  }
  return app;
}

/** Nothing from anywhere else, no frames; xterm sizes its rows with inline styles. */
const securityHeaders = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; " +
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};

function listen(server: http.Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const inUse = error.code === "EADDRINUSE";
      const advice = "choose another --web port, or --web off";
      const why = inUse ? "another program listens there" : error.message;
      const message = `the web page cannot be served on 127.0.0.1:${port}: ${why}; ${advice}`;
      reject(new CommandError(inUse ? exitCodes.addressInUse : exitCodes.usage, message));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
}
