import { type Logger, pino } from "pino";

export type { Logger } from "pino";

/**
 * The log of one process: a JSON object per line on standard error, since standard output belongs
 * to the command's result. It is written at once, so that the last line before an end is there.
 * The environment's LOCKSTEP_LOG_LEVEL says how much (default: info).
 */
export function createLogger(component: string): Logger {
  const level = process.env["LOCKSTEP_LOG_LEVEL"] ?? "info";
  const known = level === "silent" || Object.hasOwn(pino.levels.values, level);
  return pino(
    { level: known ? level : "info", base: { component, pid: process.pid } },
    pino.destination({ dest: 2, sync: true }),
  );
}
