/** What the command is told: `npm run proof -- [options]`. Bad options are one clear sentence. */
import { parseArgs } from "node:util";
import type { FailureKind } from "./failures.ts";
import { type ClientName, clientNames } from "./real-client.ts";

export interface ProofOptions {
  readonly clients: readonly ClientName[];
  readonly kills: number;
  readonly freezes: number;
  /** Undisturbed work before each failure. */
  readonly quietMs: number;
  readonly json: boolean;
}

export class OptionError extends Error {
  override readonly name = "OptionError";
}

export const usage = `usage: npm run proof -- [ssh|http|redis|all] [--kills K] [--freezes F] [--seconds S] [--json]
  ssh, http, redis  only this client; all (default): the three at the same time
  --kills K         how often the primary is killed (default 20)
  --freezes F       how often it is frozen, and thawed when the backup has taken over (default 5)
  --seconds S       undisturbed work before each failure (default 1)
  --json            the result as one line of JSON, and nothing else on standard output
`;

/** @throws OptionError; null: the usage is asked for. */
export function parseOptions(args: readonly string[]): ProofOptions | null {
  const { values, positionals } = parse(args);
  if (values.help) return null;
  const [client = "all", ...others] = positionals;
  const clients = clientNames.filter((name) => client === "all" || name === client);
  if (clients.length === 0 || others.length > 0) {
    throw new OptionError(`there is no proof "${positionals.join(" ")}"\n${usage}`);
  }
  const kills = count("--kills", values.kills);
  const freezes = count("--freezes", values.freezes);
  if (kills + freezes === 0) throw new OptionError("without a kill or a freeze nothing is proven");
  const quietMs = 1000 * count("--seconds", values.seconds);
  return { clients, kills, freezes, quietMs, json: values.json };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        kills: { type: "string", default: "20" },
        freezes: { type: "string", default: "5" },
        seconds: { type: "string", default: "1" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new OptionError(`${error instanceof Error ? error.message : String(error)}\n${usage}`);
  }
}

function count(option: string, text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new OptionError(`${option} is "${text}"; give a number from 0 to 9999`);
}

/** The freezes are spread among the kills. */
export function planFailures({ kills, freezes }: ProofOptions): readonly FailureKind[] {
  const all = kills + freezes;
  return Array.from({ length: all }, (_, i) =>
    Math.floor(((i + 1) * freezes) / all) > Math.floor((i * freezes) / all) ? "frozen" : "killed",
  );
}
