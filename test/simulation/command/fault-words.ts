/** Scenarios and faults in words: what a person reads who repeats a failing run. */
import { unreachable } from "../../../src/shared/assert.ts";
import { pairTimings } from "../../../src/vm-runner/failover/pair-timings.ts";
import type { Fault, OperatorShape, Scenario } from "../scenario.ts";

/** One line for the world, then one for each fault. */
export function scenarioInWords(scenario: Scenario): readonly string[] {
  const { nodes, spares, patientDeath, faultyMs, network, store, clients, faults } = scenario;
  const { timings, leaveWaitMs, operator } = scenario;
  const free = spares.length === 0 ? "" : `, free ${spares.join(" ")}`;
  const trouble = `latency ${short(network.latencyMs)}+${short(network.jitterMs)} ms, loss ${percent(network.lossShare)}`;
  const arbiters = `${store.arbiters} arbiter${store.arbiters === 1 ? "" : "s"} over a ${store.kind}`;
  const world = `runners on ${nodes.join(" ")}${free}; ${trouble}; ${arbiters}; clients ${clients}; faults until ${short(faultyMs)} ms`;
  const patience = patientDeath ? "processes die only while the pair is complete; " : "";
  const { heartbeatIntervalMs, failureTimeoutMs, lagTargetMs } = timings;
  const watch = `; heartbeat ${heartbeatIntervalMs}, time-out ${failureTimeoutMs}, lag target ${lagTargetMs} ms`;
  const isPlain = JSON.stringify(timings) === JSON.stringify(pairTimings);
  const leaving = leaveWaitMs === 0 ? "" : `; who leaves alone waits ${short(leaveWaitMs)} ms`;
  const restarts = operator === null ? "" : `; ${operatorInWords(operator)}`;
  return [
    `${patience}${world}${isPlain ? "" : watch}${leaving}${restarts}`,
    ...faults.map((fault) => `${short(fault.atMs)} ms: ${faultInWords(fault)}`),
  ];
}

function operatorInWords({ lookMs, staleMs, againMs, fenceMs, rivals }: OperatorShape): string {
  const off = againMs === null ? "stays off" : `comes on after ${short(againMs)} ms`;
  const gone = fenceMs === null ? "never" : `after ${short(fenceMs)} ms`;
  const whom = rivals ? "two runners" : "a runner";
  return `an operator looks every ${short(lookMs)} ms at what is ${short(staleMs)} ms old, and lets ${whom} begin anew; what is switched off ${off}; a computer is known to be gone ${gone}`;
}

export function faultInWords(fault: Fault): string {
  switch (fault.kind) {
    case "crash":
      return `${fault.node} ${death(fault.silent)}, ${again(fault.restartMs)}`;
    case "crash at effect":
      return `${fault.node} ${death(fault.silent)} ${fault.when} its effect ${fault.nth} from now, ${again(fault.restartMs)}`;
    case "terminate":
      return `${fault.node} is told to leave (SIGTERM), ${again(fault.restartMs)}`;
    case "trap":
      return "the guest divides by zero";
    case "power off":
      return "the user switches the VM off";
    case "freeze":
      return `${fault.node} stands still for ${short(fault.forMs)} ms`;
    case "freeze at effect":
      return `${fault.node} stands still for ${short(fault.forMs)} ms, ${fault.when} its effect ${fault.nth} from now`;
    case "stall":
      return `the I/O of ${fault.node} stands still for ${short(fault.forMs)} ms; its VM and heartbeats go on`;
    case "wedge":
      return `the VM thread of ${fault.node} stands still for ${short(fault.forMs)} ms`;
    case "slow":
      return `each step of ${fault.node} takes ${short(fault.stepMs)} ms, for ${short(fault.forMs)} ms`;
    case "partition": {
      const back = fault.oneWay ? "" : ", nor back,";
      return `nothing passes from ${fault.from} to ${fault.to}${back} for ${short(fault.forMs)} ms`;
    }
    case "delay":
      return `from ${fault.from} to ${fault.to} all takes ${short(fault.ms)} ms more, for ${short(fault.forMs)} ms`;
    case "cut":
      return `the connection of ${fault.node} breaks; ${percent(fault.share)} of what is on its way arrives`;
    case "corrupt":
      return `the next bytes from ${fault.from} to ${fault.to} arrive altered`;
    case "clock jump":
      return `the clock of ${fault.node} jumps by ${short(fault.ms)} ms`;
    case "clock rate":
      return `the clock of ${fault.node} runs ${short(fault.rate)} times as fast`;
    case "arbiter down":
      return `arbiter ${fault.arbiter} is down for ${short(fault.forMs)} ms`;
    case "arbiter crash":
      return `arbiter ${fault.arbiter} dies in its disk operation ${fault.nth} from now, down for ${short(fault.forMs)} ms`;
    case "arbiter slow":
      return `arbiter ${fault.arbiter} takes ${short(fault.ms)} ms more, for ${short(fault.forMs)} ms`;
    case "request trouble":
      return `the next request for a change: ${fates[fault.fate]}`;
    case "lease conflict":
      return `another writer touches the Lease before the next ${fault.times} writes`;
    case "record gone":
      return "somebody deletes the VM's record";
    case "burst":
      return `the guest prints ${fault.times} bursts`;
    case "paste":
      return `${fault.clients} clients type ${fault.bytes} bytes each, all at once`;
    case "move fails":
      return `the next move into a fresh instance fails on ${fault.node}`;
    case "gateway crash":
      return `the gateway ${death(fault.silent)}, ${again(fault.restartMs)}`;
    case "gateway freeze":
      return `the gateway stands still for ${short(fault.forMs)} ms`;
    case "network gone": {
      const how = fault.deaf ? "reads nothing" : "is gone";
      return `the network behind the gateway ${how} for ${short(fault.forMs)} ms`;
    }
    case "flood":
      return `${fault.frames} frames of ${fault.bytes} bytes for the guest, all at once`;
    case "old reading":
      return `another gateway starts, and reads the record as it was ${fault.epochs} epochs ago`;
  }
  return unreachable(fault);
}

const fates = {
  "request lost": "the request is lost",
  "answer lost": "the answer is lost",
  late: "it lands after its asker gave up",
  twice: "it lands twice",
} as const;

function death(silent: boolean): string {
  return silent ? "dies with its computer, and nobody is told," : "is killed";
}

function again(restartMs: number | null): string {
  return restartMs === null ? "for good" : `started anew after ${short(restartMs)} ms`;
}

function percent(share: number): string {
  return `${short(100 * share)}%`;
}

function short(value: number): string {
  return String(Number(value.toFixed(2)));
}
