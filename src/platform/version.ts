/** The version of this build. */
import { readFileSync } from "node:fs";

/** As package.json says: it lies beside `src`, and beside `dist`. */
export function productVersion(): string {
  const file = new URL("../../package.json", import.meta.url);
  // SAFETY: it is our own file, and Node itself needs it to run this one as a module.
  return (JSON.parse(readFileSync(file, "utf8")) as { version: string }).version;
}
