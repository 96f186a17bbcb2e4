/** Times of the API: RFC 3339 in whole seconds, as `metav1.Time` keeps them. Nothing here asks for the time. */

/** Milliseconds since 1970 as text. */
export function timestampOf(ms: number): string {
  // SAFETY: a Date of a given number is a pure function of it.
  // biome-ignore lint/style/noRestrictedGlobals: see above.
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** Milliseconds since 1970; 0 for what is no time. */
export function millisecondsOf(timestamp: string | undefined): number {
  if (timestamp === undefined) return 0;
  // SAFETY: parsing a text with its zone in it asks no clock.
  // biome-ignore lint/style/noRestrictedGlobals: see above.
  const ms = Date.parse(timestamp);
  return Number.isFinite(ms) ? ms : 0;
}
