import { expect, test } from "@jest/globals";
import { describePort, parsePublishedPort } from "./published-port.ts";

test.each([
  ["8080:80", "127.0.0.1", 8080, 80, "tcp"],
  ["8080:80/tcp", "127.0.0.1", 8080, 80, "tcp"],
  ["5353:53/udp", "127.0.0.1", 5353, 53, "udp"],
  ["0.0.0.0:80:8080", "0.0.0.0", 80, 8080, "tcp"],
  ["192.168.1.7:65535:1/udp", "192.168.1.7", 65_535, 1, "udp"],
  ["[::1]:8080:80", "[::1]", 8080, 80, "tcp"],
])("%s is understood", (text, host, hostPort, guestPort, protocol) => {
  expect(parsePublishedPort(text)).toEqual({ host, hostPort, guestPort, protocol });
});

test.each([
  [""],
  ["80"],
  ["http:80"],
  ["8080:80/sctp"],
  ["0:80"],
  ["8080:0"],
  ["65536:80"],
  ["8080:65536"],
  ["256.0.0.1:8080:80"],
  ["1.2.3:8080:80"],
  ["::1:8080:80"],
  ["localhost:8080:80"],
  [" 8080:80"],
])("%j is refused", (text) => {
  expect(parsePublishedPort(text)).toBeNull();
});

test.each([["127.0.0.1:8080:80"], ["0.0.0.0:5353:53/udp"], ["[::1]:1:2"]])(
  "%s is described as it can be written",
  (text) => {
    const port = parsePublishedPort(text);
    expect(port === null ? null : describePort(port)).toBe(text);
  },
);
