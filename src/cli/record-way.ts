/** Where the record is, and the other half, as the command line says it: in one of two ways. */
import { isIP } from "node:net";
import { InvalidArgumentError } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { type LeaseName, parseLeaseName } from "../storage-arbiter/record/lease-name.ts";
import type { Address } from "../vm-runner/wire/endpoint.ts";
import type { RecordWay } from "../vm-runner/wire/record-access.ts";
import { CommandError } from "./command-error.ts";

export interface RunnerWayFlags {
  readonly arbiter?: Address;
  readonly peer?: Address;
  readonly lease?: LeaseName;
  readonly address?: string;
  readonly pod?: string;
}

/** @throws CommandError when the flags do not make one of the two ways. */
export function runnerWay({ arbiter, peer, lease, address, pod }: RunnerWayFlags): RecordWay {
  const onCluster = { "--lease": lease, "--address": address, "--pod": pod };
  const onOneComputer = { "--arbiter": arbiter, "--peer": peer };
  if (givenOf(onCluster).length > 0 && givenOf(onOneComputer).length > 0) {
    const given = [...givenOf(onOneComputer), ...givenOf(onCluster)].join(", ");
    throw wrongFlags(`${given} do not go together`);
  }
  if (arbiter !== undefined && peer !== undefined) return { kind: "arbiter", arbiter, peer };
  if (lease !== undefined && address !== undefined && pod !== undefined) {
    return { kind: "lease", lease, address, pod };
  }
  const begun = givenOf(onCluster).length > 0 ? onCluster : onOneComputer;
  throw wrongFlags(`not given: ${missingOf(begun).join(", ")}`);
}

export interface GatewayWayFlags {
  readonly arbiter?: Address;
  readonly lease?: LeaseName;
}

export type GatewayWay =
  | { readonly kind: "arbiter"; readonly arbiter: Address }
  | { readonly kind: "lease"; readonly lease: LeaseName };

/** @throws CommandError when none is given, or both are. */
export function gatewayWay({ arbiter, lease }: GatewayWayFlags): GatewayWay {
  if (arbiter !== undefined && lease === undefined) return { kind: "arbiter", arbiter };
  if (lease !== undefined && arbiter === undefined) return { kind: "lease", lease };
  const what = arbiter === undefined ? "it is not said where the record is" : "both are given";
  throw new CommandError(exitCodes.usage, `${what}; give --arbiter or --lease`);
}

export function parseLease(text: string): LeaseName {
  const name = parseLeaseName(text);
  if (name !== null) return name;
  throw new InvalidArgumentError('expected namespace/name of a Lease, such as "default/web"');
}

/** The address of a pod. */
export function parseIp(text: string): string {
  if (isIP(text) !== 0) return text;
  throw new InvalidArgumentError('expected an IP address, such as "10.1.2.3"');
}

/** With "_" and 16 digits behind it, it is a runner's nonce. */
const podLengthMax = 111;

export function parsePod(text: string): string {
  if (/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text) && text.length <= podLengthMax) return text;
  throw new InvalidArgumentError(
    `expected the name of a pod: up to ${podLengthMax} small letters, digits, "-" and "."`,
  );
}

type Given = Readonly<Record<string, unknown>>;

function givenOf(flags: Given): string[] {
  return Object.keys(flags).filter((flag) => flags[flag] !== undefined);
}

function missingOf(flags: Given): string[] {
  return Object.keys(flags).filter((flag) => flags[flag] === undefined);
}

function wrongFlags(what: string): CommandError {
  const ways = "give --arbiter with --peer, or --lease with --address and --pod";
  return new CommandError(exitCodes.usage, `${what}; ${ways}`);
}
