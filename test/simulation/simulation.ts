/**
 * One run: a world made from a scenario, its faults, and the checkers that judge what happens.
 * First all is well or not yet; then faults strike; then they end, and the pair must come back.
 */
import type { VmRecord } from "../../src/shared/protocol/record.ts";
import { allCheckers } from "./checkers/all.ts";
import { type Checker, type CheckerName, type Outcome, Violation } from "./checkers/checker.ts";
import { beginsLife } from "./checkers/lives.ts";
import type { Node, SimEvent } from "./events.ts";
import { Coverage } from "./role-inputs.ts";
import type { RunResult, RunScenario } from "./run-result.ts";
import type { Scenario } from "./scenario.ts";
import { Faults } from "./world/faults.ts";
import { Operator } from "./world/operator.ts";
import { World } from "./world/world.ts";

/** A process that ended by itself is started anew after this. */
const restartMs = 120;
/** Somebody notices that a computer is gone for good, and starts a runner elsewhere. */
const replaceMs = 200;
/** After the last fault all must be well within this: broken-off transfers pause up to 10 s. */
const calmBoundMs = 40_000;
/**
 * Once its record is deleted, a VM that is not lost by then waits for ever. A primary that is alone looks
 * every 2 s, and bytes that were altered before may cost it a second each.
 */
const recordGoneBoundMs = 12_000;
/** How often it is asked whether all is well. */
const lookMs = 20;

export const runScenario: RunScenario = async (scenario, onEvent) => {
  const run = new Run(scenario, onEvent);
  return run.result(await run.violation());
};

class Run {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #faults: Faults;
  readonly #checkers: readonly Checker[];
  readonly #coverage = new Coverage();
  readonly #struck: Record<string, number> = {};
  readonly #onEvent: ((event: SimEvent) => void) | null;
  /** Computers that are gone for good, since when. */
  readonly #gone = new Map<Node, number>();
  readonly #operator: Operator | null;
  #record: VmRecord | null = null;
  #restarts = 0;
  readonly #spares: Node[];
  #ending: RunResult["ending"] = "stuck";
  #takeovers = 0;
  /** The first one; the cores may have caught it as an error of their machine. */
  #violation: Violation | null = null;

  constructor(scenario: Scenario, onEvent?: (event: SimEvent) => void) {
    this.#scenario = scenario;
    this.#onEvent = onEvent ?? null;
    this.#spares = [...scenario.spares];
    this.#checkers = allCheckers(scenario);
    this.#world = new World(scenario, {
      onEvent: (event) => this.#observe(event),
      onInput: (runner, role, input, effects) => {
        this.#coverage.note(role, input);
        if (onEvent === undefined) return;
        const process = runner.nonce;
        onEvent({ atMs: this.#world.nowMs, kind: "input", process, role, input, effects });
      },
      onEnded: ({ nonce, node }) => this.#onEnded(nonce, node),
    });
    this.#operator = this.#newOperator();
    this.#faults = new Faults(this.#world, scenario.patientDeath, (node) => this.#onLost(node));
  }

  result(violation: RunResult["violation"]): RunResult {
    return {
      seed: this.#scenario.seed,
      violation,
      ending: violation === null ? this.#ending : "violation",
      steps: this.#coverage.inputs,
      failovers: this.#takeovers,
      restarts: this.#restarts,
      faults: this.#struck,
      coverage: this.#coverage.pairs,
      simulatedMs: this.#world.nowMs,
    };
  }

  /** Runs to the end; what was wrong first, if anything. */
  async violation(): Promise<RunResult["violation"]> {
    try {
      const outcome = await this.#live();
      if (this.#violation !== null) throw this.#violation;
      this.#ending = outcome.ending;
      for (const checker of this.#checkers) checker.finish(outcome);
      return null;
    } catch (error) {
      const first = this.#violation ?? error;
      return { checker: checkerOf(first), message: messageOf(first, this.#world) };
    }
  }

  async #live(): Promise<Outcome> {
    const { nodes, faults, faultyMs } = this.#scenario;
    const world = this.#world;
    world.arbiters.create();
    for (const node of nodes) world.agenda.after(60 * world.random(), () => this.#start(node));
    for (const client of world.clients) client.startTyping(25);
    world.outside?.start();
    this.#faults.plan(faults);
    await world.run(faultyMs);
    this.#calm();
    const boundMs = this.#recordGone ? recordGoneBoundMs : calmBoundMs;
    for (let waited = 0; waited < boundMs; waited += lookMs) {
      await world.run(lookMs);
      if (this.#violation !== null) throw this.#violation;
      const ending = this.#endingNow();
      if (ending !== null) return this.#outcome(ending);
      for (const client of this.#world.clients) if (client.hasMissedEchoes) client.type("again");
    }
    return this.#outcome("stuck");
  }

  get #recordGone(): boolean {
    return this.#struck["record gone"] !== undefined;
  }

  /** Faults are over; the clients type a last word, and want it echoed. */
  #calm(): void {
    this.#world.emit({ kind: "calm" });
    this.#world.network.calm();
    this.#faults.calm();
    for (const client of this.#world.clients) {
      client.stopTyping();
      client.type("end");
    }
    this.#world.outside?.calm();
  }

  #endingNow(): "goes on" | "switched off" | "lost" | null {
    const world = this.#world;
    const { record } = world;
    if (this.#operator?.willRestart(record)) return null;
    if (record.epoch > 0 && record.primary === null) return "switched off";
    const lives = (nonce: string | null) => world.named(nonce)?.alive === true;
    if (record.epoch > 0 && !lives(record.primary) && !lives(record.backup)) return "lost";
    if (world.primary === null) return null;
    if (this.#canPair() && !world.paired) return null;
    const heard = world.clients.every(({ typed, echoed }) => echoed === typed);
    const answered = world.outside?.satisfied ?? true;
    return heard && answered ? "goes on" : null;
  }

  /** Two computers have a runner, or will. */
  #canPair(): boolean {
    const all = [...this.#scenario.nodes, ...this.#scenario.spares];
    return all.filter((node) => !this.#gone.has(node) && !this.#spares.includes(node)).length > 1;
  }

  #outcome(ending: Outcome["ending"]): Outcome {
    const world = this.#world;
    const alive = world.runners.filter((runner) => runner.alive).map(({ nonce }) => nonce);
    return { ending, record: world.record, alive, describe: () => world.describe() };
  }

  #observe(event: SimEvent): void {
    this.#onEvent?.(event);
    if (event.kind === "fault") {
      const { kind } = event.fault;
      if (kind === "record gone") this.#operator?.resign();
      this.#struck[kind] = (this.#struck[kind] ?? 0) + 1;
    }
    if (event.kind === "granted") this.#onGranted(event.record);
    if (this.#violation !== null) return;
    try {
      for (const checker of this.#checkers) checker.observe(event);
    } catch (error) {
      if (error instanceof Violation) this.#violation = error;
      throw error;
    }
  }

  #onGranted(record: VmRecord): void {
    const before = this.#record;
    this.#record = record;
    this.#takeovers = record.takeovers;
    if (before !== null && before.epoch > 0 && beginsLife(before, record)) this.#restarts++;
  }

  #newOperator(): Operator | null {
    const { operator: shape, nodes, spares } = this.#scenario;
    if (shape === null) return null;
    return new Operator({
      ...{ world: this.#world, shape },
      nodes: () => [...nodes, ...spares].filter((node) => !this.#spares.includes(node)),
      goneSinceMs: (node) => this.#gone.get(node) ?? null,
    });
  }

  #start(node: Node): void {
    if (!this.#gone.has(node) && this.#world.alive(node) === null) this.#world.start(node);
  }

  #onEnded(process: string, node: Node): void {
    const wanted = this.#faults.restartOf(process);
    if (wanted === null) {
      this.#onLost(node);
      return;
    }
    this.#world.agenda.after(wanted ?? restartMs, () => this.#start(node));
  }

  #onLost(node: Node): void {
    if (this.#gone.has(node)) return;
    this.#gone.set(node, this.#world.nowMs);
    const spare = this.#spares.shift();
    if (spare !== undefined) this.#world.agenda.after(replaceMs, () => this.#start(spare));
  }
}

function checkerOf(error: unknown): CheckerName {
  return error instanceof Violation ? error.checker : "fail-stop";
}

/** Of an assertion of a core, the stack is what matters. */
function messageOf(error: unknown, world: World): string {
  if (error instanceof Violation) return error.message;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${text}\n${world.describe()}`;
}
