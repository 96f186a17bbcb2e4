import { expect, test } from "@jest/globals";
import { plainScenario } from "../scenario.ts";
import { allCheckers, checkersOfLife } from "./all.ts";
import { checkerNames } from "./checker.ts";

test("every checker that has a name watches every run; the simulator itself is one of them", () => {
  const { guest } = plainScenario;
  // One of the run's checkers has those of each life.
  const count = allCheckers(plainScenario).length - 1 + checkersOfLife(guest).length;
  expect(count).toBe(checkerNames.length - 1);
  expect(checkerNames).toContain("fail-stop");
});
