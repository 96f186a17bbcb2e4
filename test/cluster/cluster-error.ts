/** How the test cluster says that something cannot be done, and how it knows why. */
import { readFile } from "node:fs/promises";

/** What a user of the test cluster can mend: one sentence that says what was wrong and the way out. */
export class ClusterError extends Error {
  override readonly name = "ClusterError";
}

/** The `code` of an error of Node's, which in Jest is an Error of another realm. */
export function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : null;
}

const lastLinesMax = 8;

/** The end of a log, for the sentence about its program: the log itself may be gone by then. */
export async function lastWords(logFile: string): Promise<string> {
  const lines = (await readFile(logFile, "utf8")).trim().split("\n").slice(-lastLinesMax);
  return `the end of its log says:\n${lines.join("\n")}`;
}
