/** A gateway that cannot start; the message is one sentence for the user. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: GatewayErrorCode;

  constructor(code: GatewayErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/**
 * - `no gvproxy`: the program is not there and cannot be built, or it does not work.
 * - `refused`: the arbiter has another key.
 */
export type GatewayErrorCode = "bad configuration" | "address in use" | "no gvproxy" | "refused";
