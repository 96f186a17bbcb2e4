/** What a line of a process's log tells people: why it ends, or what is wrong. */
import { z } from "zod";

/** pino's number for a warning. */
const warningLevel = 40;

const entrySchema = z.object({
  level: z.number(),
  msg: z.string().default(""),
  /** With `message`: the runner says why it ends. */
  reason: z.string().optional(),
  message: z.string().optional(),
  error: z.string().optional(),
  problem: z.string().optional(),
});

/** Null: the line is no news. A line that is no log entry is taken as it is. */
export function wordsOf(line: string): string | null {
  const entry = entrySchema.safeParse(parseJson(line)).data;
  if (entry === undefined) return line.trim() === "" ? null : line.trim();
  const { level, msg, reason, message, error, problem } = entry;
  if (reason !== undefined && message !== undefined) return message;
  if (level < warningLevel) return null;
  return [msg, error ?? problem ?? ""].filter((part) => part !== "").join(": ");
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
