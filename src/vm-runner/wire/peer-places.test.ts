import { describe, expect, test } from "@jest/globals";
import { fixedPeer, LearnedPeers, placeText, plainHost } from "./peer-places.ts";

const peers = () => new LearnedPeers({ nonce: "me", host: "10.0.0.1", port: 7100 });

describe("a runner learns where the others are", () => {
  test("from the record", () => {
    const learned = peers();
    expect(learned.placeOf("a")).toBeNull();
    learned.named(new Map([["a", "10.0.0.2"]]));
    expect(learned.placeOf("a")).toEqual({ host: "10.0.0.2", port: 7100 });
    expect(learned.hostOf("a")).toBe("10.0.0.2");
  });

  test("from whoever has shown the key", () => {
    const learned = peers();
    learned.heard("b", "::ffff:10.0.0.3");
    expect(learned.placeOf("b")).toEqual({ host: "10.0.0.3", port: 7100 });
    expect(learned.hostOf("b")).toBe("10.0.0.3");
  });

  test("and takes the record's word first, as the runner itself wrote it", () => {
    const learned = peers();
    learned.heard("a", "10.9.9.9");
    learned.named(new Map([["a", "10.0.0.2"]]));
    expect(learned.hostOf("a")).toBe("10.0.0.2");
    learned.named(new Map());
    expect(learned.hostOf("a")).toBe("10.9.9.9");
  });

  test("but never dials itself, and tells its own address", () => {
    const learned = peers();
    learned.named(new Map([["me", "10.0.0.7"]]));
    expect(learned.placeOf("me")).toBeNull();
    expect(learned.placeOf(null)).toBeNull();
    expect(learned.hostOf("me")).toBe("10.0.0.1");
  });

  test("and forgets those first of whom it has heard longest ago", () => {
    const learned = peers();
    learned.heard("first", "10.0.0.2");
    learned.heard("second", "10.0.0.3");
    for (let i = 0; i < 15; i++) {
      learned.heard("first", "10.0.0.2");
      learned.heard(`n${i}`, "10.0.1.1");
    }
    expect(learned.placeOf("first")).not.toBeNull();
    expect(learned.placeOf("second")).toBeNull();
  });
});

test("a fixed peer is where it is, whoever it is", () => {
  const peer = fixedPeer({ host: "127.0.0.1", port: 5 });
  peer.heard("a", "10.0.0.1");
  expect(peer.placeOf("a")).toEqual({ host: "127.0.0.1", port: 5 });
  expect(peer.placeOf(null)).toEqual({ host: "127.0.0.1", port: 5 });
});

test.each([
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["::FFFF:10.1.2.3", "10.1.2.3"],
  ["10.1.2.3", "10.1.2.3"],
  ["fd00::7", "fd00::7"],
])("the address %s is %s", (host, plain) => {
  expect(plainHost(host)).toBe(plain);
});

test("an IPv6 address stands in brackets before its port", () => {
  expect(placeText({ host: "fd00::7", port: 1 })).toBe("[fd00::7]:1");
  expect(placeText({ host: "10.1.2.3", port: 1 })).toBe("10.1.2.3:1");
});
