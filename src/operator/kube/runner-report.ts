/**
 * What runners and gateways say of themselves, asked over plain HTTP; nothing that they say is believed
 * about roles.
 */
import http from "node:http";
import { z } from "zod";
import type { GatewayStatus } from "../../shared/protocol/gateway-status.ts";
import type { RunnerStatus } from "../../shared/protocol/status.ts";

const epoch = z.int().nonnegative();

/** What plans use; the rest passes. A runner of another version may say more. */
const reportSchema = z.looseObject({
  vm: z.string(),
  nonce: z.string(),
  role: z.literal(["candidate", "joining", "backup", "taking over", "primary", "stopped"]),
  live: z.boolean(),
  epoch: epoch.nullable(),
  primary: z.string().nullable(),
  backup: z.string().nullable(),
  lastGoLive: z
    .looseObject({ reason: z.string(), afterMs: z.number(), agoMs: z.number() })
    .nullable()
    .default(null),
  recentLagMs: z.looseObject({ p99: z.number() }),
  transfers: z.looseObject({ running: z.boolean() }),
  divergences: z.number(),
  // Who says nothing of a gateway misses none.
  network: z.looseObject({ attached: z.boolean() }).default({ attached: true }),
});

const gatewaySchema = z.looseObject({ vm: z.string(), attached: z.string().nullable() });

/** A report is a page. */
const reportBytesMax = 64 * 1024;

export interface Question {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  /** Uid of the VM: what another one says is no answer. */
  readonly vm: string | null;
}

/** Null: it does not answer, or with something else. */
export async function askRunner(question: Question): Promise<RunnerStatus | null> {
  const said = await ask(question, reportSchema);
  // SAFETY: the schema holds whatever the operator reads of it.
  return said as unknown as RunnerStatus | null;
}

/** Null: it does not answer, or with something else. */
export async function askGateway(
  question: Question,
): Promise<Pick<GatewayStatus, "attached"> | null> {
  return await ask(question, gatewaySchema);
}

async function ask<Said extends { readonly vm: string }>(
  { host, port, timeoutMs, vm }: Question,
  schema: z.ZodType<Said>,
): Promise<Said | null> {
  const text = await get({ host, port, path: "/status" }, timeoutMs).catch(() => null);
  if (text === null) return null;
  const parsed = schema.safeParse(jsonOf(text));
  if (!parsed.success || (vm !== null && parsed.data.vm !== vm)) return null;
  return parsed.data;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function get(options: http.RequestOptions, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    // A connection of its own each time: thousands of open ones would cost more.
    const request = http.get({ ...options, signal, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").once("error", reject);
      response.on("data", (more: string) => {
        text += more;
        if (text.length > reportBytesMax) request.destroy(new Error("the report is too long"));
      });
      response.once("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.once("error", reject);
  });
}
