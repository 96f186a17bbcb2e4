/** Waiting with a bound. */

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Asks again every `everyMs` until there is an answer; throws when `timeoutMs` are over. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | null> | T | null,
  { everyMs = 20, timeoutMs = 60_000 } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await pause(everyMs);
  }
}
