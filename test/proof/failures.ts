/** One failure of the primary, and what the clients saw of it. */
import { pause, until } from "../../bench/waiting.ts";
import type { ProofPair, Redundant } from "./pair-process.ts";
import type { ClientName, RealClient } from "./real-client.ts";

export type FailureKind = "killed" | "frozen";

/** What one client saw of one failure: its longest waits, in milliseconds. */
export interface SeenFailure {
  readonly client: ClientName;
  readonly kind: FailureKind;
  /** In the time before. */
  readonly undisturbedMs: number;
  readonly failoverMs: number;
  /** From then on until the pair was redundant again: the state transfer. */
  readonly transferMs: number;
}

/** The wait that a failure causes begins this soon after it: what was under way still arrives. */
const beginsWithinMs = 200;
const atWorkTimeoutMs = 60_000;
const quietTriesMax = 20;
const resumeTimeoutMs = 60_000;
/** A primary is thawed when the clients were served by the new one for so long. */
const beforeThawMs = 500;

export interface FailOptions {
  readonly pair: ProofPair;
  readonly clients: readonly RealClient[];
  readonly kind: FailureKind;
  /** Undisturbed work before. */
  readonly quietMs: number;
}

/** @throws Error when something does not happen in time, or a thawed primary does not stop. */
export async function failPrimary(options: FailOptions): Promise<readonly SeenFailure[]> {
  const { pair, clients, kind } = options;
  const { before, quietFromMs } = await quietPair(options);
  const failedMs = performance.now();
  // Now: the wait that the failure causes often began just before it.
  const undisturbed = clients.map(({ arrivals }) => arrivals.longestGap(quietFromMs, failedMs));
  process.kill(before.primary.pid, kind === "killed" ? "SIGKILL" : "SIGSTOP");
  await pair.takenOver(before.primary);
  const resumed = clients.map((client) => firstArrival(client, performance.now()));
  await Promise.all(resumed);
  if (kind === "frozen") await thaw(pair, before);
  await pair.redundant(before.epoch + 1);
  const redundantMs = performance.now();
  return clients.map(({ name: client, arrivals }, i) => {
    const failover = arrivals.longestGap(failedMs, failedMs + beginsWithinMs);
    const transfer = arrivals.longestGap(failover?.endedAtMs ?? failedMs, redundantMs);
    return {
      ...{ client, kind },
      undisturbedMs: undisturbed[i]?.ms ?? 0,
      failoverMs: failover?.ms ?? 0,
      transferMs: transfer?.ms ?? 0,
    };
  });
}

/** On a busy computer a pair may fail over by itself: then the quiet time begins anew. */
async function quietPair({ pair, clients, quietMs }: FailOptions) {
  for (let attempt = 1; attempt <= quietTriesMax; attempt++) {
    const before = await pair.redundant(0);
    const quietFromMs = performance.now();
    await pause(quietMs);
    await until("every client is at work", () => allAtWork(clients), {
      ...{ everyMs: 5, timeoutMs: atWorkTimeoutMs },
    });
    const now = await pair.look();
    if (now?.epoch === before.epoch) return { before, quietFromMs };
  }
  throw new Error(
    `the pair failed over by itself ${quietTriesMax} times: is the computer too busy?`,
  );
}

function allAtWork(clients: readonly RealClient[]): true | null {
  return clients.every(({ isAtWork }) => isAtWork) ? true : null;
}

function firstArrival({ name, arrivals }: RealClient, sinceMs: number): Promise<true> {
  return until(
    `${name} receives something after the failure`,
    () => (arrivals.lastMs > sinceMs ? true : null),
    { timeoutMs: resumeTimeoutMs },
  );
}

/** It lives again, an epoch too late: it must see that, and end. */
async function thaw(pair: ProofPair, { primary }: Redundant): Promise<void> {
  await pause(beforeThawMs);
  process.kill(primary.pid, "SIGCONT");
  const end = await pair.endOf(primary.pid);
  if (end.startsWith("was killed")) {
    throw new Error(`the frozen primary did not stop by itself when it was thawed: it ${end}`);
  }
}
