/** When a guest counts as ready, as `up --ready` takes it. */
import { InvalidArgumentError } from "commander";

export type ReadyCondition =
  /** A program of the guest accepts connections on this TCP port. */
  | { readonly kind: "tcp"; readonly port: number }
  /** The guest has printed this on its console. */
  | { readonly kind: "console"; readonly text: string };

/** More is no mark that somebody looks for, and the console's history is bounded. */
const textCharactersMax = 1_000;

export function parseReady(given: string): ReadyCondition {
  const port = /^tcp:(\d{1,5})$/.exec(given)?.[1];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) {
    return { kind: "tcp", port: Number(port) };
  }
  const text = /^console:(.+)$/s.exec(given)?.[1];
  if (text !== undefined && text.length <= textCharactersMax) return { kind: "console", text };
  throw new InvalidArgumentError(
    'expected tcp:PORT with a port from 1 to 65535, or console:TEXT, such as "console:login:"',
  );
}

/** For people. */
export function describeReady(condition: ReadyCondition): string {
  switch (condition.kind) {
    case "tcp":
      return `TCP port ${condition.port}`;
    case "console":
      return `${JSON.stringify(condition.text)} on the console`;
  }
}
