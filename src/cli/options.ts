/** Values of command-line options: what cannot be used is refused with what was expected. */
import { InvalidArgumentError } from "commander";
import { exitCodes } from "../shared/exit-codes.ts";
import { isVmId } from "../shared/protocol/names.ts";
import type { PairTimings } from "../vm-runner/failover/pair-timings.ts";
import { memoryMiBMax, memoryMiBMin } from "../vm-runner/machine/spec.ts";
import { CommandError } from "./command-error.ts";

export function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new InvalidArgumentError('expected host:port, such as "127.0.0.1:7100"');
  }
  return { host, port };
}

export function parseVm(text: string): string {
  if (!isVmId(text)) {
    throw new InvalidArgumentError('expected 1 to 64 letters, digits, "-" or "_"');
  }
  return text;
}

export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535) {
    throw new InvalidArgumentError("expected a port from 1 to 65535");
  }
  return port;
}

/** Guest memory in MiB. */
export function parseMemory(text: string): number {
  const memoryMiB = Number(text);
  const possible = memoryMiB >= memoryMiBMin && memoryMiB <= memoryMiBMax && memoryMiB % 2 === 0;
  if (!/^\d+$/.test(text) || !possible) {
    throw new InvalidArgumentError(
      `expected an even number of MiB from ${memoryMiBMin} to ${memoryMiBMax}`,
    );
  }
  return memoryMiB;
}

/** Milliseconds within bounds. */
export function parseMilliseconds(min: number, max: number): (text: string) => number {
  return (text) => {
    const ms = Number(text);
    if (/^\d{1,9}$/.test(text) && ms >= min && ms <= max) return ms;
    throw new InvalidArgumentError(`expected milliseconds from ${min} to ${max}`);
  };
}

/** @throws CommandError */
export function requireTimings(timings: PairTimings): PairTimings {
  const { heartbeatIntervalMs, failureTimeoutMs } = timings;
  if (failureTimeoutMs > 3 * heartbeatIntervalMs) return timings;
  throw new CommandError(
    exitCodes.usage,
    `--timeout ${failureTimeoutMs} is not more than 3 times --heartbeat ${heartbeatIntervalMs}, so ` +
      "two lost heartbeats would look like a failure; give a longer --timeout",
  );
}

/** An epoch at which somebody may have been named. */
export function parseEpoch(text: string): number {
  const epoch = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(epoch) && epoch > 0) return epoch;
  throw new InvalidArgumentError("expected an epoch, which is a number from 1");
}

const killsMax = 1000;

/** How often the demo kills. */
export function parseKills(text: string): number {
  const kills = Number(text);
  if (!/^\d+$/.test(text) || kills < 1 || kills > killsMax) {
    throw new InvalidArgumentError(`expected a number from 1 to ${killsMax}`);
  }
  return kills;
}

/** An option that may be given again: all that it says, in order. */
export function collect<Value>(parse: (text: string) => Value) {
  return (text: string, before: readonly Value[]): readonly Value[] => [...before, parse(text)];
}
