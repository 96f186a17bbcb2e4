/** Shapes of the record and of what is said about it, wherever they come from outside. */
import { z } from "zod";
import { noncePattern, vmIdPattern } from "../../shared/protocol/names.ts";
import type { RecordOutcome, RecordRequest, VmRecord } from "../../shared/protocol/record.ts";

const vm = z.string().regex(vmIdPattern);
const runner = z.string().regex(noncePattern);
const epoch = z.int().nonnegative();

export const recordSchema: z.ZodType<VmRecord> = z.strictObject({
  vm,
  epoch,
  primary: runner.nullable(),
  backup: runner.nullable(),
  takeovers: z.int().nonnegative(),
});

export const requestSchema: z.ZodType<RecordRequest> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("create"), vm }),
  z.strictObject({ kind: z.literal("start"), vm, runner, epoch: z.literal(0) }),
  z.strictObject({ kind: z.literal("pair"), vm, runner, backup: runner, epoch }),
  z.strictObject({
    kind: z.literal(["takeover", "alone", "handover", "stop"]),
    vm,
    runner,
    epoch,
  }),
  z.strictObject({
    kind: z.literal("restart"),
    vm,
    runner,
    epoch,
    bothProvenGone: z.literal(true),
  }),
]);

const refusalReason = z.literal([
  "missing record",
  "record exists",
  "already started",
  "stale epoch",
  "unknown epoch",
  "not the primary",
  "not the backup",
  "no backup",
  "own backup",
  "already named",
  "another VM",
]);

export const outcomeSchema: z.ZodType<RecordOutcome> = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("granted"), record: recordSchema }),
  z.strictObject({
    kind: z.literal("refused"),
    reason: refusalReason,
    record: recordSchema.nullable(),
  }),
]);
