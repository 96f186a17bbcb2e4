/** The operator's orders to a runner: HTTPS with the VM's key, on the runner's control port. */
import https from "node:https";
import { isWrongKey, pskClientOptions } from "../../platform/psk.ts";

export interface OrderOptions {
  /** Address of the runner's pod. */
  readonly host: string;
  /** The runner's control port. */
  readonly port: number;
  /** The VM's id, as the record has it. */
  readonly vm: string;
  readonly key: Uint8Array;
  /** For everything, from the handshake to the end of the answer. */
  readonly timeoutMs: number;
}

export type OrderAnswer =
  | { readonly kind: "accepted" }
  /** The runner is not the one that takes orders; it says why. */
  | { readonly kind: "refused"; readonly message: string }
  /** Nothing is known of the order's fate: it may have been taken. It is safe to repeat. */
  | { readonly kind: "no answer"; readonly message: string };

/** An answer is a sentence. */
const answerBytesMax = 16 * 1024;

/** Asks a runner to switch the VM off through the log. Never rejects. */
export function orderPowerOff(options: OrderOptions): Promise<OrderAnswer> {
  return give("/poweroff", options);
}

/** Asks a runner to hang up its connection to the gateway and to dial again. Never rejects. */
export function orderRedial(options: OrderOptions): Promise<OrderAnswer> {
  return give("/redial", options);
}

async function give(path: string, options: OrderOptions): Promise<OrderAnswer> {
  const { host, port, vm, timeoutMs } = options;
  const runner = `the runner at ${host}:${port}`;
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const { status, text } = await post(path, options, signal);
    if (status === 202) return { kind: "accepted" };
    const said = sentenceOf(text);
    if (status === 409) return { kind: "refused", message: said };
    return { kind: "no answer", message: `${runner} answered ${status}: ${said}` };
  } catch (error) {
    if (signal.aborted) {
      return { kind: "no answer", message: `${runner} did not answer within ${timeoutMs} ms` };
    }
    // SAFETY: `post` rejects with the errors of Node's sockets, and with its own, alone.
    const failure = error as Error & { code?: unknown };
    const why = isWrongKey(failure)
      ? `has another key than ours for VM ${vm}, or none`
      : `did not answer: ${failure.message}`;
    return { kind: "no answer", message: `${runner} ${why}` };
  }
}

function post(
  path: string,
  { host, port, vm, key }: OrderOptions,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const request = https.request(
      // A connection of its own: the next order may be days away.
      { ...pskClientOptions(vm, key), host, port, path, signal, method: "POST", agent: false },
      (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("error", reject);
        response.on("data", (chunk: string) => {
          text += chunk;
          if (text.length > answerBytesMax) request.destroy(new Error("the answer is too long"));
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    request.on("error", reject);
    request.end();
  });
}

/** What `{ "error": … }` says, or the text as it came. */
function sentenceOf(text: string): string {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === "object" && body !== null && "error" in body) return String(body.error);
  } catch {
    // It is no JSON: somebody else answered.
  }
  return text.trim();
}
