import { exitCodes } from "../shared/exit-codes.ts";

/**
 * Ends this process when its standard input closes: a pipe from the parent closes when the parent
 * dies, however it dies. Ctrl-C in the terminal reaches the whole group; here the parent decides.
 */
export function exitWithParent(): void {
  process.on("SIGINT", () => {});
  process.stdin.on("error", () => process.exit(exitCodes.failure));
  process.stdin.on("end", () => process.exit(exitCodes.failure));
  process.stdin.resume();
}
