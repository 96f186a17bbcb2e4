/** Says how far something long has come, often enough that nobody takes it for dead. */

export type Say = (text: string) => void;

export interface BuildStep {
  readonly name: string;
  readonly seconds: number;
}

const tellEveryMs = 10_000;

/** Does the work, says `state` every ten seconds meanwhile, and returns how long it took. */
export async function timeStep<T>(
  name: string,
  say: Say,
  state: () => string,
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly step: BuildStep }> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const timer = setInterval(
    () => say(`${name}: ${state()} (${seconds().toFixed(0)} s)`),
    tellEveryMs,
  );
  try {
    const result = await work();
    const step = { name, seconds: seconds() };
    say(`${name}: ${state()}, done in ${step.seconds.toFixed(1)} s`);
    return { result, step };
  } finally {
    clearInterval(timer);
  }
}

/** The text at most every ten seconds, the first time at once. */
export function sayNowAndThen(say: Say, now: () => number = () => performance.now()): Say {
  let next = Number.NEGATIVE_INFINITY;
  return (text) => {
    if (now() < next) return;
    next = now() + tellEveryMs;
    say(text);
  };
}
