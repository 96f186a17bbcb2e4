/** What the API server refuses, and what it does not answer. */

export type ApiErrorCode =
  /** Nothing was changed, and asking the same again gives the same: 400, 403, 405, 413, 415, 422. */
  | "refused"
  /** 404, and the API server's word that there is no such object. */
  | "not found"
  /** 409: there is one of this name. */
  | "already exists"
  /** 409: the object is not what the request expects. */
  | "conflict"
  /** 410: the resource version, or the continuation of a list, is too old. */
  | "expired"
  /** No answer, a server that is overloaded or fails, or credentials that do not hold now. */
  | "unavailable"
  /** It was not sent. */
  | "not leading";

export class KubernetesApiError extends Error {
  override readonly name = "KubernetesApiError";
  readonly code: ApiErrorCode;
  /** Of the answer; 0: there was none. */
  readonly status: number;

  constructor(code: ApiErrorCode, status: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = status;
  }
}

/** `error`'s code, whatever it is. */
export function apiErrorCode(error: unknown): ApiErrorCode | null {
  return error instanceof KubernetesApiError ? error.code : null;
}

/** What an error says, wherever it comes from. */
export function messageOf(error: unknown): string {
  const says = typeof error === "object" && error !== null && "message" in error;
  return says ? String(error.message) : String(error);
}

export function noAnswer(what: string, cause: unknown): KubernetesApiError {
  const why = messageOf(cause);
  return new KubernetesApiError("unavailable", 0, `${what} got no answer: ${why}`, { cause });
}

/** `text`: the answer's body, which is a Status unless something else than the API server spoke. */
export function errorOfStatus(what: string, status: number, text: string): KubernetesApiError {
  const { message, reason } = statusOf(text);
  const said = message ?? `${what} was answered with ${status}`;
  return new KubernetesApiError(codeOf(status, reason), status, said);
}

function codeOf(status: number, reason: string | undefined): ApiErrorCode {
  switch (status) {
    case 404:
      // Any other 404 is that of a server, or of a proxy, that does not know the kind.
      return reason === "NotFound" ? "not found" : "unavailable";
    case 409:
      return reason === "AlreadyExists" ? "already exists" : "conflict";
    case 410:
      return "expired";
    case 400:
    case 403:
    case 405:
    case 413:
    case 415:
    case 422:
      return "refused";
    default:
      return "unavailable";
  }
}

function statusOf(text: string): { message?: string; reason?: string } {
  try {
    const status: { message?: unknown; reason?: unknown } = JSON.parse(text);
    return {
      ...(typeof status.message === "string" && { message: status.message }),
      ...(typeof status.reason === "string" && { reason: status.reason }),
    };
  } catch {
    return {};
  }
}
