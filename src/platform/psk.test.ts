import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import tls from "node:tls";
import { afterEach, beforeEach, expect, test } from "@jest/globals";
import { isWrongKey, pskBytes, pskClientOptions, pskIdentity, pskServerOptions } from "./psk.ts";

const key = randomBytes(pskBytes);
let server: tls.Server;

beforeEach(async () => {
  server = tls.createServer(pskServerOptions(new Map([["vm-1", key]])), (socket) => {
    socket.end(`${pskIdentity(socket)} ${socket.getProtocol()} ${socket.getCipher().name}`);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});
afterEach(() => {
  server.close();
});

function connect(options: tls.ConnectionOptions): tls.TLSSocket {
  const { port } = server.address() as AddressInfo;
  return tls.connect({ host: "127.0.0.1", port, ...options });
}

test("the right key connects, and the server knows the identity", async () => {
  const socket = connect(pskClientOptions("vm-1", key));
  let text = "";
  for await (const chunk of socket) text += chunk;
  expect(text).toBe("vm-1 TLSv1.3 TLS_AES_128_GCM_SHA256");
});

test.each([
  ["a wrong key", "vm-1", randomBytes(pskBytes)],
  ["an unknown identity", "vm-2", key],
])(
  "%s is refused in the handshake, with one clear error on each side",
  async (_, identity, psk) => {
    for (const data of ["", "waiting to be sent"]) {
      const refused = once(server, "tlsClientError");
      const socket = connect(pskClientOptions(identity, psk));
      if (data !== "") socket.write(data);
      const [clientError] = await once(socket, "error");
      expect(isWrongKey(clientError)).toBe(true);
      expect((await refused)[0]).toMatchObject({ code: "ERR_SSL_BINDER_DOES_NOT_VERIFY" });
    }
  },
);

test("a client with no key, and one with an older TLS, are refused", async () => {
  const older = pskClientOptions("vm-1", key);
  for (const options of [
    { rejectUnauthorized: false },
    { ...older, minVersion: "TLSv1.2", maxVersion: "TLSv1.2", ciphers: "PSK" } as const,
  ]) {
    const refused = once(server, "tlsClientError");
    const socket = connect(options);
    const [error] = await once(socket, "error");
    expect(isWrongKey(error)).toBe(false);
    await refused;
  }
});
