import { expect, test } from "@jest/globals";
import { ByteReader, ByteWriter } from "../../shared/bytes.ts";
import { chacha20Block, RandomStream, streams } from "./random.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const counting = Uint8Array.from({ length: 32 }, (_, i) => i);

test.each([
  {
    name: "section 2.3.2",
    key: counting,
    counter: 1,
    nonce: "000000090000004a00000000",
    block:
      "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e" +
      "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e",
  },
  {
    name: "appendix A.1, vector 1",
    key: new Uint8Array(32),
    counter: 0,
    nonce: "000000000000000000000000",
    block:
      "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7" +
      "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586",
  },
  {
    name: "appendix A.1, vector 2",
    key: new Uint8Array(32),
    counter: 1,
    nonce: "000000000000000000000000",
    block:
      "9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed" +
      "29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f",
  },
])("the key stream is that of RFC 8439, $name", ({ key, counter, nonce, block }) => {
  expect(hex(chacha20Block(key, counter, Buffer.from(nonce, "hex")))).toBe(block);
});

test("a stream restored from a snapshot goes on where it was, in the middle of a block", () => {
  const stream = new RandomStream();
  stream.seed(counting);
  const before = stream.bytes(70);
  const writer = new ByteWriter();
  stream.save(writer);
  const restored = new RandomStream();
  restored.restore(new ByteReader(writer.finish()));
  const next = stream.bytes(100);
  expect(restored.bytes(100)).toEqual(next);
  expect(hex(next)).not.toContain(hex(before.subarray(0, 16)));
});

test("the streams of one seed have nothing in common", () => {
  const first = new RandomStream();
  const second = new RandomStream();
  first.seed(counting, streams.machine);
  second.seed(counting, streams.personality);
  expect(first.bytes(32)).not.toEqual(second.bytes(32));
});

test("a fraction is at least 0 and below 1", () => {
  const stream = new RandomStream();
  for (let i = 0; i < 1_000; i++) {
    const fraction = stream.fraction();
    expect(fraction >= 0 && fraction < 1).toBe(true);
  }
});

test("a seed of the wrong length is refused", () => {
  expect(() => new RandomStream().seed(new Uint8Array(31))).toThrow("31 bytes instead of 32");
});
