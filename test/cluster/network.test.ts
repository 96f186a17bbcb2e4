/** What the machine's routes say about the networks that a cluster could take. */
import { expect, test } from "@jest/globals";
import { overlaps } from "./network.ts";

test.each<[string, number, boolean]>([
  ["10.100.0.0/16", 100, true],
  ["10.100.0.0/16", 101, false],
  ["10.101.0.0/16", 100, false],
  // Within it.
  ["10.100.0.0/24", 100, true],
  ["10.100.7.0/24", 100, true],
  ["10.100.255.128/25", 100, true],
  ["10.99.255.0/24", 100, false],
  ["10.101.0.0/24", 100, false],
  // Around it.
  ["10.0.0.0/8", 100, true],
  ["10.0.0.0/8", 199, true],
  ["10.96.0.0/12", 100, true],
  ["10.96.0.0/12", 112, false],
  ["10.100.0.0/15", 101, true],
  ["10.100.0.0/15", 102, false],
  ["10.128.0.0/9", 127, false],
  ["10.128.0.0/9", 128, true],
  ["11.0.0.0/8", 100, false],
  ["172.16.0.0/12", 100, false],
  ["192.168.100.0/24", 100, false],
  // A host.
  ["10.100.3.4", 100, true],
  ["10.100.3.4/32", 100, true],
  ["10.101.3.4", 100, false],
  ["127.0.0.1", 127, false],
  ["100.10.0.1", 100, false],
])("%s and 10.%i.0.0/16 have addresses in common: %s", (network, number, isShared) => {
  expect(overlaps(network, number)).toBe(isShared);
});
