/** What becomes of a VM whose record somebody deletes: it may stop, and it never lives twice. */
import { expect, test } from "@jest/globals";
import { aloneLookMs } from "../../../src/shared/limits.ts";
import type { SimEvent } from "../events.ts";
import type { Fault, Scenario } from "../scenario.ts";
import { plainScenario } from "../scenario.ts";
import { runScenario } from "../simulation.ts";

const gone: Fault = { kind: "record gone", atMs: 400 };
const crash = { kind: "crash", atMs: 500, silent: false, restartMs: 20 } as const;
/** By then what the dead half acknowledged has arrived. */
const acknowledgedMs = 10;

const stores = ["file", "lease"] as const;
const cases = stores.flatMap((store) => [
  ["nothing else happens", [], store] as const,
  ["node a dies", [{ ...crash, node: "a" }], store] as const,
  ["node b dies", [{ ...crash, node: "b" }], store] as const,
]);

test.each(cases)("a deleted record: %s (%j, %s)", async (_, faults, kind) => {
  const { violation, ending, events } = await lived(kind, [gone, ...faults]);
  expect(violation).toBeNull();
  const deletedAt = events.findIndex(isDeletion);
  const after = events.slice(deletedAt);
  expect(after.filter((event) => event.kind === "granted")).toEqual([]);
  if (faults.length === 0) {
    expect(ending).toBe("goes on");
    return;
  }
  // The half that is left may not go on alone, and whoever starts finds nothing.
  expect(ending).toBe("lost");
  const reasons = after.flatMap((event) => (event.kind === "ended" ? [event.reason] : []));
  expect(reasons).toEqual(expect.arrayContaining([null, "no record"]));
});

test.each(stores)("the half that is left runs on unseen until it is refused (%s)", async (kind) => {
  const { violation, events } = await lived(kind, [gone, { ...crash, node: "b", silent: true }]);
  expect(violation).toBeNull();
  const since = events.filter(({ atMs }) => atMs > crash.atMs + acknowledgedMs);
  const until = since.findIndex((event) => event.kind === "ended" && event.node === "a");
  expect(since[until]).toMatchObject({ reason: "no record" });
  const meanwhile = new Set(since.slice(0, until).map((event) => event.kind));
  expect(meanwhile).toContain("executed");
  expect(meanwhile).not.toContain("released");
});

test.each(stores)(
  "a primary that is alone finds out that its record is deleted (%s)",
  async (kind) => {
    const early = { ...crash, atMs: gone.atMs - 50, node: "b", restartMs: null };
    const { violation, ending, events } = await lived(kind, [early, gone], ["d"]);
    expect(violation).toBeNull();
    expect(ending).toBe("lost");
    const end = events.find((event) => event.kind === "ended" && event.process === "a1");
    expect(end).toMatchObject({ reason: "no record" });
    expect(end?.atMs).toBeLessThan(gone.atMs + aloneLookMs + 200);
  },
);

function isDeletion(event: SimEvent): boolean {
  return event.kind === "fault" && event.fault.kind === "record gone";
}

async function lived(
  kind: Scenario["store"]["kind"],
  faults: readonly Fault[],
  spares: readonly string[] = [],
) {
  const events: SimEvent[] = [];
  const store = { ...plainScenario.store, kind };
  const scenario = { ...plainScenario, clients: 1, faultyMs: 900, store, spares, faults };
  const { violation, ending } = await runScenario(scenario, (event) => events.push(event));
  return { violation, ending, events };
}
