/** What a record's file holds: one line of JSON, so that a person can read it, and a checksum. */
import { z } from "zod";
import { assert } from "../../shared/assert.ts";
import { crc32c } from "../../shared/crc32c.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import { recordSchema } from "./record-schema.ts";

const formatVersion = 1;

const fileSchema = z.strictObject({
  formatVersion: z.literal(formatVersion),
  crc32c: z.int(),
  record: recordSchema,
});

export function encodeRecord(record: VmRecord): string {
  const { vm, epoch, primary, backup, takeovers } = record;
  const fields = { vm, epoch, primary, backup, takeovers };
  return `${JSON.stringify({ formatVersion, crc32c: checksum(fields), record: fields })}\n`;
}

/** Null when the text is not exactly what `encodeRecord` wrote. */
export function decodeRecord(text: string): VmRecord | null {
  const parsed = fileSchema.safeParse(parseJson(text));
  if (!parsed.success || encodeRecord(parsed.data.record) !== text) return null;
  return parsed.data.record;
}

function checksum(record: VmRecord): number {
  const text = JSON.stringify(record);
  return crc32c(Uint8Array.from(text, (character) => asciiOf(character, text)));
}

/** Names are ASCII (names.ts), and so is the rest of a record. */
function asciiOf(character: string, text: string): number {
  const code = character.charCodeAt(0);
  assert(code < 0x80, `a record with other letters than ASCII: ${text}`);
  return code;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
