/** A pair with real servers, real clients at work, and failure after failure of the primary. */
import { freePort } from "../../src/cli/pair/free-port.ts";
import { clientPrograms, whyMissing } from "./client-programs.ts";
import { failPrimary, type SeenFailure } from "./failures.ts";
import { type ProofOptions, planFailures } from "./options.ts";
import { ProofPair } from "./pair-process.ts";
import type { ClientName, RealClient } from "./real-client.ts";
import { type ClientReport, clientReport, isClean, type ProofReport } from "./report.ts";

const guest = "servers";
const memoryMiB = 192;

/** Everything that runs; `end` is safe at any moment. */
export class Proof {
  readonly #options: ProofOptions;
  readonly #say: (text: string) => void;
  #clients: readonly RealClient[] = [];
  readonly #seen: SeenFailure[] = [];
  #pair: ProofPair | null = null;

  constructor(options: ProofOptions, say: (text: string) => void) {
    this.#options = options;
    this.#say = say;
  }

  async run(): Promise<ProofReport> {
    const { clients: wanted, kills, freezes } = this.#options;
    const beganMs = performance.now();
    const skipped = wanted.flatMap((client) => {
      const reason = whyMissing(client);
      return reason === null ? [] : [{ client, reason }];
    });
    for (const { client, reason } of skipped) this.#say(`${client} is skipped: ${reason}`);
    const names = wanted.filter((name) => skipped.every(({ client }) => client !== name));
    const { clients, ended } = await this.#prove(names);
    const ok = ended === null && clients.length > 0 && clients.every(isClean);
    const seconds = (performance.now() - beganMs) / 1000;
    return { ok, kills, freezes, seconds, clients, skipped, ended };
  }

  async end(): Promise<void> {
    for (const client of this.#clients) client.kill();
    await this.#pair?.kill();
  }

  async #prove(
    names: readonly ClientName[],
  ): Promise<{ readonly clients: readonly ClientReport[]; readonly ended: string | null }> {
    if (names.length === 0) return { clients: [], ended: "no client program is installed" };
    try {
      const pair = await this.#start(names);
      await this.#failAgainAndAgain(pair);
      const clients: ClientReport[] = [];
      for (const client of this.#clients) {
        clients.push(clientReport(client.name, await client.stop(), this.#seen));
      }
      await pair.stop();
      return { clients, ended: null };
    } catch (error) {
      await this.end();
      const reason = error instanceof Error ? error.message : String(error);
      const clients = this.#clients.map(({ name, verdict }) =>
        clientReport(name, verdict, this.#seen),
      );
      return { clients, ended: `${reason}\n${this.#pair?.lastWords ?? ""}` };
    }
  }

  async #start(names: readonly ClientName[]): Promise<ProofPair> {
    const programs = names.map((name) => clientPrograms[name]);
    const ports = await Promise.all(programs.map(() => freePort()));
    const publish = programs.map(({ guestPort }, i) => ({ hostPort: ports[i] ?? 0, guestPort }));
    this.#say("starting the pair; its guest is built and booted first if it is not yet");
    const pair = new ProofPair({ name: `proof-${process.pid}`, guest, memoryMiB, publish });
    this.#pair = pair;
    await pair.started();
    this.#clients = programs.map(({ make }, i) => make(ports[i] ?? 0));
    await Promise.all(this.#clients.map((client) => client.start()));
    this.#say(`at work: ${names.join(", ")}`);
    return pair;
  }

  async #failAgainAndAgain(pair: ProofPair): Promise<void> {
    const { quietMs } = this.#options;
    const plan = planFailures(this.#options);
    for (const [i, kind] of plan.entries()) {
      const failures = await failPrimary({ pair, clients: this.#clients, kind, quietMs });
      this.#seen.push(...failures);
      const gaps = failures.map(
        ({ client, failoverMs }) => `${client} ${failoverMs.toFixed(0)} ms`,
      );
      this.#say(`${i + 1} of ${plan.length}: primary ${kind}; longest silence: ${gaps.join(", ")}`);
    }
  }
}
