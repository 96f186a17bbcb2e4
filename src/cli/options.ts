/** Values of command-line options: what cannot be used is refused with what was expected. */
import { InvalidArgumentError } from "commander";
import { isVmId } from "../shared/protocol/names.ts";
import { memoryMiBMax, memoryMiBMin } from "../vm-runner/machine/spec.ts";

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

const killsMax = 1000;

/** How often the demo kills. */
export function parseKills(text: string): number {
  const kills = Number(text);
  if (!/^\d+$/.test(text) || kills < 1 || kills > killsMax) {
    throw new InvalidArgumentError(`expected a number from 1 to ${killsMax}`);
  }
  return kills;
}
