/** Finds what the guest's network needs on this computer, before a pair is started. */
import { GatewayError } from "../gateway/gateway-error.ts";
import { findBuiltGvproxy, findGvproxy } from "../gateway/host/gvproxy-program.ts";

export type NetworkChoice =
  | { readonly kind: "there" }
  /** `why` is a sentence that says what to do about it. */
  | { readonly kind: "none"; readonly why: string };

export interface NetworkPreparation {
  /** Building takes about half a minute: it is for whoever asked for the network. */
  readonly mayBuild: boolean;
  readonly onProgress: (text: string) => void;
}

export async function prepareNetwork(options: NetworkPreparation): Promise<NetworkChoice> {
  try {
    if (options.mayBuild) await findGvproxy(options.onProgress);
    else if ((await findBuiltGvproxy()) === null) return { kind: "none", why: notBuilt };
    return { kind: "there" };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { kind: "none", why: error.message };
  }
}

const notBuilt =
  "the program gvproxy is not on the PATH and was not built yet; install it (Debian 13: apt-get " +
  "install gvproxy), or build it once, with Go 1.25 or newer, by naming a port to --publish";
