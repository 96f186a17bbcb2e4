import { expect, test } from "@jest/globals";
import { freshCard, ringFrames, sendFrames, takeFrames } from "./card.ts";
import { decodeFrame, encodeFrame, type SimulatedFrame } from "./frames.ts";

const request = (serial: number) =>
  encodeFrame({ kind: "request", serial, request: `n1.${serial}` });
const input = (first: number, count: number, gateway = 1) => {
  const frames = Array.from({ length: count }, (_, i) => request(first + i));
  return { kind: "ingress", gateway, first, frames } as const;
};

test.each<SimulatedFrame>([
  { kind: "request", serial: 7, request: "n1.3" },
  { kind: "noise", serial: 7 },
  { kind: "sent", number: 7, request: "n1.3", state: "1f.2" },
  { kind: "sent", number: 7, request: null, state: "1f.2" },
  { kind: "announcement" },
])("a frame is read as it was written: $kind", (frame) => {
  expect(decodeFrame(encodeFrame(frame))).toEqual(frame);
  expect(decodeFrame(encodeFrame(frame, 400))).toEqual(frame);
  expect(encodeFrame(frame, 400)).toHaveLength(400);
});

test("requests are answered a few in a step, in order, and then what nobody asked for is sent", () => {
  const card = freshCard();
  expect(takeFrames(card, input(0, 7))).toHaveLength(7);
  const first = sendFrames(card, 0, () => "s");
  const then = sendFrames(card, 2, () => "s");
  const said = [first, then].flatMap((output) => output?.frames.map(decodeFrame) ?? []);
  expect(first).toMatchObject({ first: 0 });
  expect(then).toMatchObject({ first: 5 });
  expect(said.map((frame) => frame.kind === "sent" && [frame.number, frame.request])).toEqual([
    ...[0, 1, 2, 3, 4, 5, 6].map((number) => [number, `n1.${number}`]),
    ...[7, 8].map((number) => [number, null]),
  ]);
  expect(sendFrames(card, 0, () => "s")).toBeNull();
});

test("noise is taken note of, and has no answer", () => {
  const card = freshCard();
  const noise = encodeFrame({ kind: "noise", serial: 1 });
  expect(takeFrames(card, { kind: "ingress", gateway: 1, first: 0, frames: [noise] })).toEqual([
    noise,
  ]);
  expect(sendFrames(card, 0, () => "s")).toBeNull();
  expect(card.ring).toEqual([]);
});

test("what finds no room in the ring is lost, and counts as taken all the same", () => {
  const card = freshCard();
  expect(takeFrames(card, input(0, ringFrames + 3))).toHaveLength(ringFrames);
  expect(card.position).toEqual({ gateway: 1, next: ringFrames + 3 });
  expect(takeFrames(card, input(ringFrames, 3))).toEqual([]);
});
