/** RFC 3339 with microseconds, as Leases and events have it. */
export function microTime(time: Date): string {
  return time.toISOString().replace("Z", "000Z");
}
