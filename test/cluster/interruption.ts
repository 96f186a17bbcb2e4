/**
 * An `up` that ends before the cluster is there: somebody interrupted it, or a step of it failed. What it
 * was in the midst of must be over before the cluster is taken down, or something could appear afterwards.
 */
import { until } from "../../bench/waiting.ts";
import { ClusterError } from "./cluster-error.ts";
import { findProcesses, killProcesses } from "./processes.ts";

/** Nothing went wrong: somebody wanted it. */
export class Interrupted extends ClusterError {}

/** No step goes on for longer when no process of the cluster lives. */
const unfinishedStepMs = 10_000;

/** What `work` gives; it rejects as soon as the signal comes, with its reason if that is one for users. */
export async function unlessInterrupted<T>(
  signal: AbortSignal | undefined,
  work: Promise<T>,
): Promise<T> {
  if (signal === undefined) return await work;
  const interrupted = new Promise<never>((_, reject) => {
    const end = () => {
      const { reason } = signal;
      reject(reason instanceof ClusterError ? reason : new Interrupted("interrupted"));
    };
    if (signal.aborted) end();
    signal.addEventListener("abort", end, { once: true });
  });
  return await Promise.race([work, interrupted]);
}

/** Resolves when `work`, which brings the cluster with this id up, has failed for want of its processes. */
export async function letFail(id: string, work: Promise<unknown>): Promise<void> {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  void work.then(end, end);
  const isFailed = () => {
    killProcesses(findProcesses(id));
    return isOver ? true : null;
  };
  // What still waits then, for a node say, does no more than ask.
  await until("", isFailed, { everyMs: 50, timeoutMs: unfinishedStepMs }).catch(() => {});
}
