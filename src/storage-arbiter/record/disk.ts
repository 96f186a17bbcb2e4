/**
 * What the record's store needs of a file system, so that it can be tried on one that loses power.
 * Paths are parts joined by "/". Each operation is done when it returns; whether it survives a
 * power failure is said below.
 */
export interface Disk {
  /** @throws DiskError missing */
  list(directory: string): readonly string[];
  /** The whole file as UTF-8. @throws DiskError missing */
  readText(file: string): string;
  /**
   * Makes a file. Its content is durable, its name is only after the directory was synced.
   *
   * @throws DiskError exists; after any other error the file may be there, whole or in part.
   */
  writeNew(file: string, text: string): void;
  /** Gives `file` a second name, unless that one is taken. @throws DiskError exists, missing */
  link(file: string, name: string): void;
  /** Takes the name away. @throws DiskError missing */
  unlink(file: string): void;
  /** For this user alone; its parent must be there. @throws DiskError exists, missing */
  makeDirectory(directory: string): void;
  /** Makes the names in `directory` durable, and those that were taken away. */
  syncDirectory(directory: string): void;
  /** A word for a file's name that nobody else, in this process or another, ever gets. */
  freshWord(): string;
}

/** The disk refused; `failed` is whatever is neither expected nor understood. */
export class DiskError extends Error {
  override readonly name = "DiskError";
  readonly code: "exists" | "missing" | "failed";

  constructor(code: DiskError["code"], message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
