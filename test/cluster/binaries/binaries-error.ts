/** What a user has to put right about the cluster's programs. */
export class BinariesError extends Error {
  readonly code: "named folder" | "build failed" | "no room" | "no go";

  constructor(code: BinariesError["code"], message: string) {
    super(message);
    this.name = "BinariesError";
    this.code = code;
  }
}
