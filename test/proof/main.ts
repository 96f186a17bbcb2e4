/**
 * The proof with real clients, `npm run proof` (docs/testing.md). Exit code 0: every client that took
 * part saw no reset, no wrong byte and no lost write; 1: one did, or the proof could not be carried
 * out; 2: the options make no sense.
 */
import { OptionError, parseOptions, usage } from "./options.ts";
import { Proof } from "./proof.ts";
import { describe } from "./report.ts";

const badOptionsCode = 2;
const interruptedCode = 130;

process.exit(await main());

async function main(): Promise<number> {
  try {
    const options = parseOptions(process.argv.slice(2));
    if (options === null) {
      process.stdout.write(usage);
      return 0;
    }
    const proof = new Proof(options, say);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      process.once(signal, () => void proof.end().then(() => process.exit(interruptedCode)));
    }
    const report = await proof.run();
    process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(report));
    return report.ok ? 0 : 1;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return error instanceof OptionError ? badOptionsCode : 1;
  }
}

function say(text: string): void {
  process.stderr.write(`proof: ${text}\n`);
}
