import { beforeEach, expect, test } from "@jest/globals";
import { FrameReader, frame } from "../../../src/shared/framing.ts";
import { consoleMessageBytesMax } from "../../../src/shared/protocol/console.ts";
import { ConsoleService } from "../../../src/vm-runner/console/console-service.ts";
import type { ConsoleInput } from "../../../src/vm-runner/replay/log-entry.ts";
import type { Happening } from "../events.ts";
import {
  type ClientConnection,
  type ClientHandlers,
  type ClientWorld,
  SimulatedClient,
} from "./client.ts";
import { Agenda } from "./clock.ts";
import { below, randomOf } from "./random.ts";

const random = randomOf(7, "client test");

/** One guest that echoes, behind the console services of two runners. */
class SmallWorld implements ClientWorld {
  readonly agenda = new Agenda();
  readonly events: Happening[] = [];
  readonly services = new Map<string, ConsoleService>();
  readonly open = new Set<ClientHandlers>();
  #printed = 0;
  readonly #known = new Map<number, number>();

  constructor() {
    for (const node of ["a", "b"]) {
      const onInput = (input: ConsoleInput) => this.#onInput(node, input);
      this.services.set(node, new ConsoleService({ onInput }));
    }
  }

  get nowMs(): number {
    return this.agenda.nowMs;
  }

  after(ms: number, run: () => void): void {
    this.agenda.after(ms, run);
  }

  emit(happening: Happening): void {
    this.events.push(happening);
  }

  /** Delivers each piece of the stream in two, cut anywhere. */
  connect(node: string, handlers: ClientHandlers): ClientConnection {
    const service = this.services.get(node);
    if (service === undefined) {
      this.after(1, () => handlers.onClosed());
      return { send: () => {}, end: () => {} };
    }
    const whileOpen = (run: () => void) => {
      this.after(1, () => {
        if (this.open.has(handlers)) run();
      });
    };
    const frames = new FrameReader(consoleMessageBytesMax);
    const reader = service.accept({
      queuedBytes: 0,
      send: (message) => {
        const framed = frame(message);
        const cut = below(random, framed.length);
        whileOpen(() => handlers.onData(framed.subarray(0, cut)));
        whileOpen(() => handlers.onData(framed.subarray(cut)));
      },
      end: () => whileOpen(() => this.#close(handlers)),
    });
    this.open.add(handlers);
    whileOpen(() => handlers.onOpen());
    const receive = (bytes: Uint8Array) => {
      for (const message of frames.push(bytes)) service.receive(reader, message);
    };
    return {
      send: (bytes) => whileOpen(() => receive(bytes)),
      end: () => {
        this.open.delete(handlers);
        service.leave(reader);
      },
    };
  }

  cutAll(): void {
    for (const handlers of [...this.open]) this.#close(handlers);
  }

  print(text: string): void {
    this.#print("a", text);
    this.#print("b", text);
  }

  /** @throws Error when it does not come true in ten simulated seconds. */
  until(what: string, isSo: () => boolean): void {
    const untilMs = this.nowMs + 10_000;
    while (!isSo()) {
      if (this.nowMs > untilMs) throw new Error(`waited in vain until ${what}`);
      void this.agenda.next();
    }
  }

  #close(handlers: ClientHandlers): void {
    this.open.delete(handlers);
    handlers.onClosed();
  }

  #onInput(node: string, { writer, position, bytes }: ConsoleInput): void {
    const known = this.#known.get(writer) ?? 0;
    const fresh = String.fromCharCode(...bytes.subarray(Math.max(0, known - position)));
    const end = Math.max(known, position + bytes.length);
    this.#known.set(writer, end);
    if (fresh !== "") this.print(`${writer}@${known}:${fresh}:12:3\n`);
    this.services.get(node)?.release({ kind: "accepted", writer, position: end });
  }

  #print(node: string, text: string): void {
    const bytes = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const output = { kind: "console", position: this.#printed, bytes } as const;
    const service = this.services.get(node);
    if (node === this.primary) service?.release(output);
    else service?.remember(output);
    if (node === "b") this.#printed += bytes.length;
  }

  primary = "a";

  become(node: string): void {
    this.primary = node;
    this.services.get(node)?.becomePrimary(1);
  }
}

let world: SmallWorld;
let client: SimulatedClient;

beforeEach(() => {
  world = new SmallWorld();
  world.become("a");
  client = new SimulatedClient(world, { writer: 1, nodes: ["a", "b", "c"], random });
});

test("what a client types is echoed, accepted and told as events, in this order", () => {
  client.type("abc");
  world.until("it is echoed", () => client.echoed === 3);
  world.until("it is accepted", () => world.events.at(-1)?.kind === "accepted");
  expect(world.events.map(({ kind }) => kind)).toEqual(["typed", "follows", "seen", "accepted"]);
  expect(world.events[0]).toMatchObject({
    writer: 1,
    position: 0,
    bytes: Uint8Array.of(97, 98, 99),
  });
  expect(world.events[3]).toMatchObject({ writer: 1, position: 3 });
});

test("a client types on over broken connections and failovers, and sees every byte once", () => {
  client.startTyping(5);
  for (let turn = 1; turn <= 20; turn++) {
    const before = client.echoed;
    world.until("more is echoed", () => client.echoed > before + 20);
    if (turn % 2 === 0) world.services.get(world.primary)?.resign();
    if (turn % 2 === 0) world.become(world.primary === "a" ? "b" : "a");
    world.cutAll();
  }
  client.stopTyping();
  world.until("all is echoed", () => client.echoed === client.typed);
  let end = 0;
  for (const event of world.events) {
    if (event.kind !== "seen") continue;
    expect(event.position).toBe(end);
    end += event.bytes.length;
  }
});

test("only an echo of what was typed there counts, and none that leaves something out", () => {
  world.until("it is connected", () => client.connected);
  const events = world.events.length;
  world.print("1@0:zzz:0:0\n2@0:a:0:0\n1@5:f:0:0\nready\n");
  world.until("it is seen", () => world.events.length > events);
  expect(client.echoed).toBe(0);
});

test("a client that missed output takes the next echo for how far they came", () => {
  client.type("abc");
  world.until("it is echoed", () => client.echoed === 3);
  world.services.delete("a");
  world.services.delete("b");
  world.cutAll();
  const service = new ConsoleService({ onInput: () => {} });
  service.becomePrimary(1);
  const line = Uint8Array.from("x\n1@3:de:0:0\n", (letter) => letter.charCodeAt(0));
  service.release({ kind: "console", position: 500, bytes: line });
  world.services.set("b", service);
  client.type("de");
  world.until("it is echoed", () => client.echoed === 5);
});

test("a closed client does nothing more", () => {
  client.startTyping(5);
  world.until("something is echoed", () => client.echoed > 0);
  client.close();
  const { typed } = client;
  while (world.agenda.nextMs < Number.POSITIVE_INFINITY) void world.agenda.next();
  expect(client.typed).toBe(typed);
  expect(world.open.size).toBe(0);
});
