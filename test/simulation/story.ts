/**
 * For stories written by hand: a world in which nothing goes wrong but what the story does, with
 * one console client and all checkers watching. The first wrong event ends the story with an error.
 */
import { assert } from "../../src/shared/assert.ts";
import type { Nonce, VmRecord } from "../../src/shared/protocol/record.ts";
import type { Link } from "../../src/vm-runner/failover/pair-types.ts";
import type { RunnerRequest } from "../../src/vm-runner/failover/record-view.ts";
import type { ChannelMessage } from "../../src/vm-runner/logging-channel/messages.ts";
import { allCheckers } from "./checkers/all.ts";
import { type Checker, Violation } from "./checkers/checker.ts";
import { sameRecord, specified } from "./checkers/record-specification.ts";
import type { Happening, Node, SimEvent } from "./events.ts";
import type { Fate } from "./record/record-call.ts";
import type { Fault, Scenario } from "./scenario.ts";
import { plainScenario } from "./scenario.ts";
import type { SimulatedClient } from "./world/client.ts";
import type { SimulatedRunner } from "./world/runner.ts";
import { World } from "./world/world.ts";

/** How long a story waits for what it says comes next. */
const waitMs = 5_000;

const all = () => true;

export class Story {
  readonly world: World;
  /** Reads and types at the console. */
  readonly client: SimulatedClient;
  /** What becomes of a request for a change. */
  fate: (request: RunnerRequest) => Fate = () => "served";
  /** The requests for a change, in the order in which they were made. */
  readonly asked: RunnerRequest[] = [];
  /** Those that changed the record. */
  readonly granted: RunnerRequest["kind"][] = [];
  /** Who has read the record, once for each time. */
  readonly reads: Nonce[] = [];
  /** Who went live, in that order. */
  readonly lives: Nonce[] = [];
  /** Outputs that left a runner. */
  released = 0;
  readonly #checkers: readonly Checker[];
  #record: VmRecord | null = null;
  /** The first one; a core may have caught it as an error of its machine. */
  #violation: Violation | null = null;

  /**
   * `different`: from the scenario in which nothing goes wrong. `watches`: for a story of something
   * that a checker holds for wrong, since no seeded run comes to it.
   */
  constructor(different: Partial<Scenario> = {}, watches: (checker: Checker) => boolean = all) {
    const scenario = { ...plainScenario, clients: 1, ...different };
    this.#checkers = allCheckers(scenario).filter(watches);
    this.world = new World(scenario, { onEvent: (event) => this.#observe(event) });
    this.world.arbiters.create();
    const [client] = this.world.clients;
    assert(client !== undefined, "a story is seen by a client");
    this.client = client;
  }

  /** Lets so much time pass. */
  async run(ms: number): Promise<void> {
    await this.world.run(ms);
    this.#mustBeRight();
  }

  /** Goes on until something is so; throws when it is not within `boundMs`. */
  async until(what: string, isSo: () => boolean, boundMs = waitMs): Promise<void> {
    const isSoNow = () => {
      this.#mustBeRight();
      return isSo();
    };
    if (await this.world.reaches(isSoNow, boundMs)) return;
    throw new Error(`not so in ${boundMs} ms: ${what}\n${this.world.describe()}`);
  }

  /** The client types something, and sees the guest's echo of all that it ever typed. */
  async goesOn(): Promise<void> {
    const { client } = this;
    client.type("still here");
    await this.until("the guest echoes what was typed", () => client.echoed === client.typed);
  }

  async untilAlive(node: Node, boundMs = waitMs): Promise<void> {
    const isSo = () => this.world.primary === this.world.at(node);
    await this.until(`${node} lives`, isSo, boundMs);
  }

  async untilPaired(): Promise<void> {
    await this.until("paired", () => this.world.paired);
  }

  async untilEnded(node: Node, boundMs = waitMs): Promise<void> {
    await this.until(`${node} ends`, () => this.world.at(node).exit !== null, boundMs);
  }

  /** `silent`: the computer dies, too, and nobody is told that its connections are gone. */
  crash(node: Node, silent = false): void {
    this.#tell({ atMs: this.world.nowMs, kind: "crash", node, silent, restartMs: null });
    if (silent) this.world.network.setUp(node, false);
    this.world.at(node).crash(silent);
  }

  terminate(node: Node): void {
    this.#tell({ atMs: this.world.nowMs, kind: "terminate", node, restartMs: null });
    this.world.at(node).input("signal", { kind: "terminate" });
  }

  /** The user switches the VM off. */
  powerOff(): void {
    this.#tell({ atMs: this.world.nowMs, kind: "power off" });
    this.world.primary?.input("http", { kind: "powerOff" });
  }

  /** Nothing passes between the two any more. */
  partition(a: Node, b: Node): void {
    this.world.network.block(a, b);
    this.world.network.block(b, a);
  }

  /** A runner says something to its other half. */
  say(node: Node, message: ChannelMessage): void {
    const runner = this.world.at(node);
    const link = linkOf(runner);
    assert(link !== null, `${runner.nonce} is not connected`);
    runner.say(link, message);
  }

  /** The first request of this kind meets this fate. */
  spoilFirst(kind: RunnerRequest["kind"], fate: Fate): void {
    this.fate = (request) => {
      if (request.kind !== kind) return "served";
      this.fate = () => "served";
      return fate;
    };
  }

  #tell(fault: Fault): void {
    this.world.emit({ kind: "fault", fault });
  }

  #observe(event: SimEvent): void {
    this.#note(event);
    try {
      for (const checker of this.#checkers) checker.observe(event);
    } catch (error) {
      if (error instanceof Violation) this.#violation ??= error;
      throw error;
    }
  }

  #mustBeRight(): void {
    if (this.#violation !== null) throw this.#violation;
  }

  #note(event: Happening): void {
    if (event.kind === "lived") this.lives.push(event.process);
    if (event.kind === "released") this.released++;
    if (event.kind === "granted") this.#noteGranted(event.record);
    if (event.kind !== "asked") return;
    const { request, process } = event;
    if (request.kind === "read") {
      this.reads.push(process);
      return;
    }
    this.asked.push(request);
    // The next request for a change is this one: it is sent right after it was told of.
    this.world.arbiters.trouble(this.fate(request), () => {});
  }

  #noteGranted(record: VmRecord): void {
    const before = this.#record;
    this.#record = record;
    if (before === null) return;
    const request = this.asked.find((asked) => {
      const made = specified(before, asked);
      return typeof made !== "string" && sameRecord(made, record);
    });
    assert(request !== undefined, `nobody asked for epoch ${record.epoch}`);
    this.granted.push(request.kind);
  }
}

/** Two runners, started one after the other, and paired. */
export async function pairedStory(different: Partial<Scenario> = {}): Promise<Story> {
  const story = await aloneStory(different);
  story.world.start("b");
  await story.untilPaired();
  return story;
}

/** One runner that lives alone, and the client is connected to it. */
export async function aloneStory(different: Partial<Scenario> = {}): Promise<Story> {
  const story = new Story(different);
  story.world.start("a");
  await story.untilAlive("a");
  await story.until("the client is connected", () => story.client.connected);
  return story;
}

/** The connection to its other half. */
function linkOf({ role }: SimulatedRunner): Link | null {
  if (role.kind === "primary") return role.follower?.link ?? null;
  return role.kind === "follower" ? role.link : null;
}
