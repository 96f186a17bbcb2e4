/** What is drawn makes sense, and can be drawn again. */
import { expect, test } from "@jest/globals";
import { randomOf } from "../simulation/world/random.ts";
import { afterVerb, describeVerb, drawVerb, freshWorld, type Verb } from "./random-verbs.ts";

function story(seed: number, length: number): Verb[] {
  const random = randomOf(seed, "story");
  let world = freshWorld(["node1", "node2", "node3"]);
  return Array.from({ length }, () => {
    const verb = drawVerb(random, world);
    world = afterVerb(world, verb);
    return verb;
  });
}

test("the same seed draws the same story, another seed another one", () => {
  expect(story(7, 50)).toEqual(story(7, 50));
  expect(story(7, 50)).not.toEqual(story(8, 50));
});

test("every kind of verb is drawn", () => {
  const kinds = new Set(story(1, 2000).map(({ kind }) => kind));
  expect([...kinds].sort()).toEqual([
    ...["api-start", "api-stop", "apply", "delete", "exec", "freeze", "heal", "kubelet-start"],
    ...["kubelet-stop", "load", "lose", "partition", "power-off", "power-on", "thaw"],
  ]);
});

test("a node that is off is only switched on, a frozen one only thawed or switched off", () => {
  let world = freshWorld(["node1"]);
  for (const verb of story(3, 2000).filter((one) => "node" in one && one.node === "node1")) {
    const before = world.nodes["node1"]?.power;
    const allowed = {
      on: /^(power-off|heal|freeze|exec|kubelet-\w+|partition|lose)/,
      off: /^(power-on|heal|partition node1$)/,
      frozen: /^(power-off|thaw|heal|partition|lose)/,
    };
    expect(describeVerb(verb)).toMatch(allowed[before ?? "on"]);
    world = afterVerb(world, verb);
  }
});

test("nothing is asked of an API server that is stopped", () => {
  let isUp = true;
  for (const { kind } of story(5, 2000)) {
    if (kind === "apply" || kind === "delete" || kind === "api-stop") expect(isUp).toBe(true);
    if (kind === "api-start") expect(isUp).toBe(false);
    if (kind === "api-stop" || kind === "api-start") isUp = kind === "api-start";
  }
});
