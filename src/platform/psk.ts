/**
 * TLS with a pre-shared key: how everything of one VM talks to everything else of it. The identity
 * is the VM's id and each VM has its own key, so whoever completes the handshake belongs to the VM.
 *
 * TLS 1.3 only, with a fresh key exchange for each connection: a key that leaks later opens nothing
 * recorded before. The cipher is the one whose hash (SHA-256) OpenSSL ties to a pre-shared key.
 * Sessions are never resumed: a resumed one would come without an identity.
 */
import { constants, randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import type { ConnectionOptions, TLSSocket, TlsOptions } from "node:tls";

/** Bytes of a key. */
export const pskBytes = 32;

const suite = {
  ciphers: "TLS_AES_128_GCM_SHA256",
  minVersion: "TLSv1.3",
  maxVersion: "TLSv1.3",
} as const;

const identities = new WeakMap<Socket, string>();

/**
 * Options for `tls.createServer` and `https.createServer`; `keys` by identity.
 *
 * A wrong key and an unknown identity look alike: the server's `tlsClientError` has the code
 * `ERR_SSL_BINDER_DOES_NOT_VERIFY`, and on the client's error `isWrongKey` holds.
 */
export function pskServerOptions(keys: ReadonlyMap<string, Uint8Array>): TlsOptions {
  return {
    ...suite,
    secureOptions: constants.SSL_OP_NO_TICKET,
    pskCallback: (socket: TLSSocket, identity: string) => {
      identities.set(socket, identity);
      // Nobody has the random key, so the handshake fails without telling which identities exist.
      return keys.get(identity) ?? randomBytes(pskBytes);
    },
  };
}

/** Options for `tls.connect` and `https.Agent`. */
export function pskClientOptions(identity: string, key: Uint8Array): ConnectionOptions {
  return {
    ...suite,
    pskCallback: () => ({ identity, psk: key }),
    // There is no certificate: the key proves who the server is.
    checkServerIdentity: () => undefined,
  };
}

/** Is this a client's error because the server knows another key, or no such identity? */
export function isWrongKey(error: { readonly code?: unknown; readonly message: string }): boolean {
  if (error.code === "ERR_SSL_TLSV1_ALERT_DECRYPT_ERROR") return true;
  // With data waiting to be sent Node reports the failed write, and the alert in its text.
  return error.code === "EPROTO" && error.message.includes("alert decrypt error");
}

/** With which identity the other side of a server's connection proved itself. */
export function pskIdentity(socket: Socket): string | undefined {
  return identities.get(socket);
}
