import { expect, test } from "@jest/globals";
import { plainScenario } from "../scenario.ts";
import { allCheckers } from "./all.ts";
import { checkerNames } from "./checker.ts";

test("every checker that has a name watches every run; the simulator itself is one of them", () => {
  expect(allCheckers(plainScenario)).toHaveLength(checkerNames.length - 1);
  expect(checkerNames).toContain("fail-stop");
});
