/** One HTTPS exchange in which JSON goes both ways: how a record is asked for, whoever keeps it. */
import https from "node:https";

export interface Exchange {
  readonly method: "GET" | "POST" | "PUT";
  readonly path: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A longer answer is an error. */
  readonly answerBytesMax: number;
}

export interface JsonAnswer {
  readonly kind: "answer";
  readonly status: number;
  readonly body: unknown;
}

/**
 * How an exchange failed. `reused`: the connection was an earlier exchange's, which the server may have
 * closed a moment ago.
 */
export interface ExchangeFailure extends Error {
  readonly code?: unknown;
  readonly reused?: boolean;
}

/**
 * Rejects with an ExchangeFailure when the connection fails or the answer is not JSON. After that, and
 * after the signal in `options`, the connection is not used again.
 */
export function exchangeJson(
  options: https.RequestOptions,
  { method, path, body, headers, answerBytesMax }: Exchange,
): Promise<JsonAnswer> {
  const bodyHeaders =
    body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const sent = { ...options, method, path, headers: { ...headers, ...bodyHeaders } };
    const fail = (error: Error) => reject(Object.assign(error, { reused: request.reusedSocket }));
    const request = https.request(sent, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("error", fail);
      response.on("data", (chunk: string) => {
        text += chunk;
        if (text.length > answerBytesMax) request.destroy(new Error("the answer is too long"));
      });
      response.on("end", () => {
        try {
          resolve({ kind: "answer", status: response.statusCode ?? 0, body: JSON.parse(text) });
        } catch {
          const start = JSON.stringify(text.slice(0, 100));
          reject(new Error(`the answer ${response.statusCode} ${start} is no JSON`));
        }
      });
    });
    request.on("error", fail);
    request.end(body);
  });
}
