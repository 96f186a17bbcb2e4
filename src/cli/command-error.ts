/** A command that cannot do what was asked: one sentence for the user, and the exit code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs a command's action: what the user can mend is one sentence, anything else is a defect. */
export async function runCommand(command: string, action: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await action();
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`lockstep ${command}: ${error.message}\n`);
    process.exitCode = error.exitCode;
  }
}
