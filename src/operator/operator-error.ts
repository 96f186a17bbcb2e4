/** What keeps the operator from starting, or from going on. */

export type OperatorErrorCode =
  /** The kubeconfig, or what the pod was given in its place, cannot be used. */
  | "bad configuration"
  /** Another process listens on the address of the HTTP side. */
  | "address in use";

export class OperatorError extends Error {
  override readonly name = "OperatorError";
  readonly code: OperatorErrorCode;

  constructor(code: OperatorErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
