import { makeGuestReady } from "../vm-runner/host/guest.ts";
import { withGuestErrors } from "./guest-errors.ts";

/**
 * Builds the guest and boots it where that has not been done on this computer, so that both runners
 * find it ready. @throws CommandError when there is no such guest, or it cannot be made.
 */
export async function prepareGuest(
  guest: string,
  memoryMiB: number,
  onProgress: (text: string) => void,
): Promise<void> {
  await withGuestErrors(() => makeGuestReady(guest, memoryMiB, onProgress));
}
