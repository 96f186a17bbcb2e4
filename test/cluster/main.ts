/**
 * A real Kubernetes by hand: `npm run cluster -- VERB` (docs/testing.md). Exit code 0: done; 1: it
 * could not be done, and one sentence says why; 2: the command line makes no sense. `kubectl` and
 * `exec` end with the code of the program that they run.
 */
import process from "node:process";
import { commandLine, say } from "./command-line.ts";

try {
  await commandLine().parseAsync();
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
