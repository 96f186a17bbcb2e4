/** One run: a scenario, all checkers, and how it ended. */
import type { Plan } from "../../../src/operator/reconcile/actions.ts";
import type { Observation } from "../../../src/operator/reconcile/observation.ts";
import type { RecordRequest, VmRecord } from "../../../src/shared/protocol/record.ts";
import {
  lookMs,
  type OperatorChecker,
  type OperatorCheckerName,
  type RecordChange,
  type Watcher,
} from "./checkers/checker.ts";
import { Convergence } from "./checkers/convergence.ts";
import { DeletionEnds } from "./checkers/deletion-ends.ts";
import { FewPods } from "./checkers/few-pods.ts";
import { NobodyIsEnded } from "./checkers/nobody-is-ended.ts";
import { OneRecord } from "./checkers/one-record.ts";
import { OthersObjects } from "./checkers/others-objects.ts";
import { SingleLife } from "./checkers/single-life.ts";
import { StatusHonesty } from "./checkers/status-honesty.ts";
import type { OperatorScenario } from "./scenario.ts";
import { actionInWords, faultInWords } from "./words.ts";
import { Faults } from "./world/faults.ts";
import type { Landing } from "./world/requests.ts";
import type { Runner } from "./world/runner.ts";
import { World } from "./world/world.ts";

interface OperatorViolation {
  readonly checker: OperatorCheckerName;
  readonly message: string;
}

export interface OperatorRun {
  readonly seed: number;
  readonly violation: OperatorViolation | null;
  /** Plans that were made. */
  readonly plans: number;
  readonly writes: number;
  readonly failovers: number;
  readonly restarts: number;
  /** The phase at the end; "Gone" when there is no machine. */
  readonly ending: string;
  readonly simulatedMs: number;
}

export type Tell = (line: string) => void;

/** Never throws: whatever a run throws is a violation of its own. */
export function runOperator(scenario: OperatorScenario, tell: Tell | null): OperatorRun {
  return new Supervisor(scenario, tell).run();
}

class Supervisor implements Watcher {
  readonly #scenario: OperatorScenario;
  readonly #tell: Tell | null;
  readonly #convergence = new Convergence();
  readonly #checkers: readonly OperatorChecker[] = [
    ...[new NobodyIsEnded(), new SingleLife(), new OneRecord(), new FewPods(), new StatusHonesty()],
    ...[new DeletionEnds(), new OthersObjects(), this.#convergence],
  ];
  #world: World | null = null;
  #violation: OperatorViolation | null = null;
  #failovers = 0;
  #restarts = 0;

  constructor(scenario: OperatorScenario, tell: Tell | null) {
    this.#scenario = scenario;
    this.#tell = tell;
  }

  run(): OperatorRun {
    const world = new World(this.#scenario, this);
    this.#world = world;
    if (this.#tell !== null) {
      for (const fault of this.#scenario.faults) {
        world.agenda.after(fault.atMs, () => this.say(`FAULT ${faultInWords(fault)}`));
      }
      world.agenda.after(this.#scenario.calmMs, () => this.say("CALM"));
    }
    new Faults(world);
    this.#lookLater(world);
    try {
      while (this.#violation === null && !this.#convergence.done) void world.agenda.next();
    } catch (error) {
      this.#fail("fail-stop", String((error as Error).stack ?? error));
    }
    const { plans, writes, nowMs, vm } = world;
    const ending = vm === null ? "Gone" : (vm.status?.phase ?? "Pending");
    const counts = { failovers: this.#failovers, restarts: this.#restarts, plans, writes };
    const { seed } = this.#scenario;
    return { seed, violation: this.#violation, ...counts, ending, simulatedMs: nowMs };
  }

  say(line: string): void {
    if (this.#tell === null) return;
    const ms = (this.#world?.nowMs ?? 0).toFixed(0).padStart(8);
    this.#tell(`${ms}  ${line}`);
  }

  onPlan(observation: Observation, { actions, status, againInMs }: Plan): void {
    if (this.#tell === null) return;
    const { record } = observation;
    const epoch = record.kind === "present" ? `epoch ${record.record.epoch}` : record.kind;
    const pods = observation.pods.map(podInShort).join(" ");
    this.say(
      `plan  ${epoch} [${pods}] -> ${status.phase}, life ${status.running?.life ?? "-"} from ${status.running?.fromEpoch ?? "-"}: ${actions.map(actionInWords).join(", ") || "nothing"}; again ${againInMs ?? "-"}`,
    );
  }

  onLanding(landing: Landing): void {
    this.say(`lands ${actionInWords(landing.action)}`);
    this.#ask((checker, world) => checker.onLanding?.(landing, world));
  }

  onRecord(request: RecordRequest, before: VmRecord | null, after: VmRecord, by: Runner): void {
    this.say(
      `record ${request.kind} by ${by.nonce}: epoch ${after.epoch}, primary ${after.primary}, backup ${after.backup}`,
    );
    if (request.kind === "takeover") this.#failovers++;
    if (request.kind === "restart") this.#restarts++;
    const change: RecordChange = { request, before, after, by };
    this.#ask((checker, world) => checker.onRecord?.(change, world));
  }

  #lookLater(world: World): void {
    world.agenda.after(lookMs, () => {
      this.#ask((checker) => checker.onLook?.(world));
      this.#lookLater(world);
    });
  }

  #ask(question: (checker: OperatorChecker, world: World) => string | null | undefined): void {
    if (this.#world === null) return;
    for (const checker of this.#checkers) {
      const message = question(checker, this.#world) ?? null;
      if (message !== null) this.#fail(checker.name, message);
    }
  }

  #fail(checker: OperatorCheckerName, message: string): void {
    this.#violation ??= { checker, message };
    this.say(`VIOLATION ${checker}: ${message}`);
  }
}

function podInShort({
  name,
  phase,
  role,
  node,
  deleting,
  terminated,
  report,
  ready,
  bootId,
}: Observation["pods"][number]): string {
  const marks = [
    ...[role === null ? "" : `was ${role}`, node ?? "unbound", deleting ? "deleting" : ""],
    ...[
      terminated === null ? "" : `ended ${terminated.exitCode}`,
      ready ? "ready" : "",
      report?.role ?? "",
    ],
    bootId ?? "",
  ].filter((mark) => mark !== "");
  return `${name}:${phase}(${marks.join(",")})`;
}
