/** The API server over HTTPS, with a client certificate: requests, and the stream of a watch. */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import https from "node:https";

/** Where the API server is and who asks; certificates and key as PEM texts. */
export interface ApiAccess {
  readonly url: string;
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
}

/** An answer that is not 2xx. */
class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const requestTimeoutMs = 10_000;

export class ApiClient {
  readonly #url: string;
  readonly #agent: https.Agent;

  constructor({ url, ca, certificate, key }: ApiAccess) {
    this.#url = url;
    this.#agent = new https.Agent({ keepAlive: true, ca, cert: certificate, key });
  }

  /** @throws ApiError, or what the connection failed with. */
  async get(path: string): Promise<unknown> {
    const answer = await this.#get(path, AbortSignal.timeout(requestTimeoutMs));
    return JSON.parse(await text(answer));
  }

  /** Lines of a watch until it ends. @throws ApiError, or what the connection failed with. */
  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    const answer = await this.#get(path, signal);
    answer.setEncoding("utf8");
    let rest = "";
    for await (const chunk of answer) {
      const parts = `${rest}${chunk}`.split("\n");
      rest = parts.pop() ?? "";
      yield* parts;
    }
  }

  async #get(path: string, signal: AbortSignal) {
    const request = https.get(`${this.#url}${path}`, { agent: this.#agent, signal });
    // Whoever reads the answer learns of a connection that breaks; the request says it as well. (Node
    // listens itself where there is a signal, which it does not promise.)
    request.on("error", () => {});
    const [answer]: IncomingMessage[] = await once(request, "response");
    if (answer === undefined) throw new ApiError(0, `GET ${path} was not answered`);
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    const words = (await text(answer)).slice(0, 500);
    throw new ApiError(status, `GET ${path} was answered with ${status}: ${words}`);
  }
}

async function text(answer: IncomingMessage): Promise<string> {
  answer.setEncoding("utf8");
  let whole = "";
  for await (const chunk of answer) whole += chunk;
  return whole;
}
