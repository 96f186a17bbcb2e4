/** Randomness of a run: one generator for each purpose, so that one does not shift the others. */
export type Random = () => number;

/** Numbers from 0 to below 1; equal seeds and purposes give equal sequences. */
export function randomOf(seed: number, purpose: string): Random {
  let hash = Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b;
  for (let i = 0; i < purpose.length; i++) {
    hash = Math.imul(hash ^ purpose.charCodeAt(i), 0x01000193);
  }
  return mulberry32(hash ^ (hash >>> 15));
}

/** A whole number from 0 to below `count`. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

export function pick<T>(random: Random, choices: readonly T[]): T {
  const chosen = choices[below(random, choices.length)];
  if (chosen === undefined) throw new Error("there is nothing to choose from");
  return chosen;
}

/** Small, seeded, and good enough for choosing faults. */
function mulberry32(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
