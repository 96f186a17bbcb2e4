import type { HalfView, PairView } from "./pair/events.ts";

/** How a pair is, in one line. */
export function pairLine({ name, record, halves }: PairView): string {
  const primary = halves.find(({ nonce }) => nonce !== null && nonce === record?.primary);
  const backup = halves.find(({ nonce }) => nonce !== null && nonce === record?.backup);
  const parts = [name];
  if (primary === undefined) parts.push("no primary");
  else parts.push(`primary ${who(primary)}`);
  if (backup === undefined) parts.push(`no backup${transferText(primary)}`);
  else parts.push(`backup ${who(backup)}`);
  if (record !== null) parts.push(`epoch ${record.epoch}`);
  const status = primary?.status ?? null;
  if (status !== null && backup !== undefined) parts.push(`lag ${status.lagMs.toFixed(1)} ms`);
  return parts.join(" | ");
}

function who({ id, pid }: HalfView): string {
  return `${id} (pid ${pid ?? "?"})`;
}

function transferText(primary: HalfView | undefined): string {
  return primary?.status?.transfers.running ? " (state transfer is running)" : "";
}
