import { makeGuestReady } from "../vm-runner/host/guest.ts";
import { withGuestErrors } from "./guest-errors.ts";

/**
 * Builds the guest and boots it where that has not been done on this computer, so that both runners
 * find it ready. Gives the file of the kept boot; null where each VM boots anew.
 * @throws CommandError when there is no such guest, or it cannot be made.
 */
export async function prepareGuest(
  guest: string,
  memoryMiB: number,
  onProgress: (text: string) => void,
): Promise<string | null> {
  return await withGuestErrors(() => makeGuestReady(guest, memoryMiB, onProgress));
}
