/**
 * How much of the cores a simulation has executed: V8's own counts (the inspector's precise
 * coverage), by lines. Types are stripped in place, so a position in the code that runs is one in
 * the source.
 */
import { readFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { stripTypeScriptTypes } from "node:module";
import { fileURLToPath } from "node:url";

/** What the simulator runs of the product, and what of it is a core: all in some folders. */
const coreFolders =
  /\/src\/(vm-runner\/(failover|output-rule|logging-channel|replay|console|network)|storage-arbiter\/record|cli\/console|shared)\//;
/** And what is directly in this one. */
const gatewayCores = /\/src\/gateway\/[^/]+$/;

export interface FileCoverage {
  readonly file: string;
  readonly lines: number;
  /** Numbers of the lines that never ran. */
  readonly missed: readonly number[];
}

export async function withCoverage<T>(
  run: () => Promise<T>,
): Promise<{ readonly result: T; readonly files: readonly FileCoverage[] }> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.startPreciseCoverage", { callCount: false, detailed: true });
  const result = await run();
  const { result: scripts } = await session.post("Profiler.takePreciseCoverage");
  session.disconnect();
  const files = scripts
    .filter(
      ({ url }) => url.startsWith("file:") && (coreFolders.test(url) || gatewayCores.test(url)),
    )
    .map(({ url, functions }) => {
      const ranges = functions.flatMap((f) => f.ranges);
      return coverageOf(fileURLToPath(url), readFileSync(fileURLToPath(url), "utf8"), ranges);
    });
  return { result, files: files.sort((a, b) => (a.file < b.file ? -1 : 1)) };
}

export interface Range {
  readonly startOffset: number;
  readonly endOffset: number;
  readonly count: number;
}

/** `ranges`: of all functions, each with its blocks; an inner one counts more than an outer one. */
export function coverageOf(file: string, source: string, ranges: readonly Range[]): FileCoverage {
  const code = stripTypeScriptTypes(source);
  const ran = new Uint8Array(code.length).fill(1);
  const outerFirst = [...ranges].sort(
    (a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset,
  );
  for (const { startOffset, endOffset, count } of outerFirst) {
    ran.fill(count > 0 ? 1 : 0, startOffset, endOffset);
  }
  const missed: number[] = [];
  let lines = 0;
  let offset = 0;
  for (const [i, line] of code.split("\n").entries()) {
    const first = offset + line.search(/\S/);
    offset += line.length + 1;
    if (!isCode(line)) continue;
    lines++;
    if (ran[first] === 0) missed.push(i + 1);
  }
  return { file, lines, missed };
}

/** Comments, and lines of brackets alone, say nothing. */
function isCode(line: string): boolean {
  return /[A-Za-z0-9]/.test(line) && !/^\s*(\/\/|\/?\*)/.test(line);
}
