/** What can go wrong with the guest or the log that a user names, as one sentence and exit code. */
import { exitCodes } from "../shared/exit-codes.ts";
import { BootError } from "../vm-runner/host/boot-snapshot.ts";
import { GuestError } from "../vm-runner/host/guest-files.ts";
import { LogFileError } from "../vm-runner/host/log-file.ts";
import { MachineSpecError } from "../vm-runner/machine/spec.ts";
import { FingerprintError } from "../vm-runner/replaying.ts";
import { CommandError } from "./command-error.ts";

/** Runs `work`; what the user can mend becomes a CommandError. */
export async function withGuestErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const guestError =
      error instanceof GuestError ||
      error instanceof MachineSpecError ||
      error instanceof BootError;
    if (guestError) throw new CommandError(exitCodes.usage, error.message);
    if (error instanceof FingerprintError) {
      throw new CommandError(exitCodes.unreadableLog, error.message);
    }
    if (!(error instanceof LogFileError)) throw error;
    const code = error.code === "file" ? exitCodes.usage : exitCodes.unreadableLog;
    throw new CommandError(code, error.message);
  }
}
