/** `lockstep status`: both halves of a pair, its record and its network. */
import { Command } from "commander";
import { readKeyFile } from "../platform/key-file.ts";
import { exitCodes } from "../shared/exit-codes.ts";
import type { VmRecord } from "../shared/protocol/record.ts";
import type { Quantiles, RunnerStatus } from "../shared/protocol/status.ts";
import { ArbiterClient } from "../storage-arbiter/record/arbiter-client.ts";
import { runCommand } from "./command-error.ts";
import { guestLine, networkLines } from "./network-line.ts";
import type { GuestView, NetworkView } from "./pair/events.ts";
import { readGatewayStatus } from "./pair/gateway-client.ts";
import { readStatus } from "./pair/runner-client.ts";
import {
  addressText,
  type GatewayEntry,
  type PairEntry,
  requireEntry,
  stateFiles,
} from "./pair/state-directory.ts";

interface Flags {
  readonly name: string;
  readonly json: boolean;
}

/** What `--json` prints; part of the command's interface. */
export interface PairStatus {
  readonly name: string;
  readonly vm: string;
  /** Process of `lockstep up`. */
  readonly pid: number;
  readonly web: string | null;
  /** Null: the arbiter does not answer. */
  readonly record: VmRecord | null;
  readonly halves: readonly HalfStatus[];
  /** Null: the guest has no network. */
  readonly network: NetworkStatus | null;
  /** What `up --ready` waits for; null: nothing. */
  readonly guest: GuestView | null;
}

interface NetworkStatus extends NetworkView {
  readonly gateway: string;
  readonly http: string;
}

interface HalfStatus {
  readonly id: "a" | "b";
  readonly pid: number | null;
  readonly nonce: string | null;
  readonly channel: string;
  readonly http: string;
  /** Null: the runner does not answer. */
  readonly status: RunnerStatus | null;
}

export function statusCommand(): Command {
  return new Command("status")
    .description("show both halves of a pair, its record and its network")
    .option("--name <name>", "which pair", "default")
    .option("--json", "as JSON", false)
    .action((flags: Flags) => runCommand("status", () => run(flags)));
}

async function run({ name, json }: Flags): Promise<number> {
  const status = await pairStatus(requireEntry(name));
  process.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : statusTable(status));
  return exitCodes.ok;
}

async function pairStatus(entry: PairEntry): Promise<PairStatus> {
  const { name, vm, pid, web, guest } = entry;
  const [record, network, ...statuses] = await Promise.all([
    readRecord(entry),
    entry.gateway === null ? null : networkStatus(entry.gateway),
    ...entry.halves.map(({ http }) => readStatus(http)),
  ]);
  const halves = entry.halves.map((half, i) => ({
    id: half.id,
    pid: half.pid,
    nonce: half.nonce,
    channel: addressText(half.channel),
    http: addressText(half.http),
    status: statuses[i] ?? null,
  }));
  return { name, vm, pid, web, record, halves, network, guest };
}

async function networkStatus({ address, http, pid, ports }: GatewayEntry): Promise<NetworkStatus> {
  const status = await readGatewayStatus(http);
  return { gateway: addressText(address), http: addressText(http), pid, ports, status };
}

async function readRecord({ name, vm, arbiter }: PairEntry): Promise<VmRecord | null> {
  const client = new ArbiterClient({ ...arbiter, vm, key: readKeyFile(stateFiles(name).key) });
  try {
    const answer = await client.read();
    return answer.kind === "read" ? answer.record : null;
  } finally {
    client.close();
  }
}

/** For people. */
function statusTable(status: PairStatus): string {
  const { name, vm, pid, web, record, halves, network, guest } = status;
  const rows = [
    [
      "",
      "role",
      "pid",
      "nonce",
      "step",
      "virtual time",
      "lag",
      "log",
      "hold p50/p99",
      "frames held",
    ],
    ...halves.map(halfRow),
  ];
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0))) ?? [];
  const table = rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const whose = (nonce: string) => halves.find((half) => half.nonce === nonce)?.id ?? nonce;
  const lines = [`pair ${name} (VM ${vm}, run by process ${pid})`, recordLine(record, whose)];
  lines.push(...networkLines(network, whose));
  if (guest !== null) lines.push(guestLine(guest));
  if (web !== null) lines.push(`web page ${web}`);
  return `${[...lines, "", ...table].join("\n")}\n`;
}

function recordLine(record: VmRecord | null, whose: (nonce: string) => string): string {
  if (record === null) return "record: the arbiter does not answer";
  const who = (nonce: string | null) => (nonce === null ? "nobody" : whose(nonce));
  const { epoch, primary, backup, takeovers } = record;
  return `record: epoch ${epoch}, primary ${who(primary)}, backup ${who(backup)}, ${takeovers} take-overs`;
}

function halfRow({ id, pid, nonce, status }: HalfStatus): string[] {
  const known = [id, status?.role ?? "no answer", String(pid ?? "-"), nonce ?? "-"];
  if (status === null) return [...known, ...Array(6).fill("-")];
  const { step, virtualMs, lagEntries, lagMs, logBytes, outputHoldMs, network, role } = status;
  const isPrimary = role === "primary";
  const hold = ({ p50, p99 }: Quantiles) => `${p50.toFixed(1)}/${p99.toFixed(1)} ms`;
  return [
    ...known,
    String(step),
    `${(virtualMs / 1000).toFixed(1)} s`,
    isPrimary ? `${lagEntries} entries, ${lagMs.toFixed(1)} ms` : "-",
    `${(logBytes / 1e6).toFixed(2)} MB`,
    isPrimary ? hold(outputHoldMs) : "-",
    isPrimary && network.attached ? hold(network.holdMs) : "-",
  ];
}
