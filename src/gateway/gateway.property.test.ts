/** Any order of attachments, renewals, records and ends: one runner counts, and epochs never go back. */
import { expect, test } from "@jest/globals";
import fc from "fast-check";
import { FakeNetwork, FakeRunner, number, recordOf } from "../../test/fake-gateway-peers.ts";
import { Gateway, RunnerProtocolError } from "./gateway.ts";

interface Move {
  readonly who: number;
  readonly epoch: number;
  readonly does: "attach" | "renew" | "leave" | "send" | "record";
}

const move: fc.Arbitrary<Move> = fc.record({
  who: fc.integer({ min: 0, max: 3 }),
  epoch: fc.integer({ min: 0, max: 8 }),
  does: fc.constantFrom("attach", "renew", "leave", "send", "record"),
});

test("the epoch that counts never goes back, and frames go out from its runner alone", () => {
  fc.assert(
    fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
      const world = new World();
      let epoch = -1;
      for (const one of moves) {
        world.perform(one);
        const now = world.gateway.epoch ?? -1;
        expect(now).toBeGreaterThanOrEqual(epoch);
        epoch = now;
        expect(world.gateway.attached?.epoch ?? epoch).toBe(epoch);
      }
    }),
    { numRuns: 500 },
  );
});

test("whoever runs which life next, each of its frames goes out once and in order", () => {
  const turn = fc.record({ reborn: fc.boolean(), frames: fc.nat(3), again: fc.nat(3) });
  fc.assert(
    fc.property(fc.array(turn, { maxLength: 30 }), (turns) => {
      const network = new FakeNetwork();
      const gateway = new Gateway({
        ...{ vm: "v", gateway: number, readRecord: () => {}, onReport: () => {} },
      });
      gateway.setNetwork(network);
      gateway.onRecord(recordOf(0, null));
      let life = 1;
      const sent: number[] = [];
      const wanted: number[] = [];
      for (const [i, { reborn, frames, again }] of turns.entries()) {
        const epoch = i + 1;
        if (reborn) {
          life = epoch;
          sent.length = 0;
        }
        const runner = new FakeRunner(gateway).attach(`r${i}`, epoch, life);
        const fresh = Array.from({ length: frames }, (_, k) => (wanted.length + k) % 256);
        const repeated = sent.slice(Math.max(0, sent.length - again));
        const marks = [...repeated, ...fresh];
        if (marks.length > 0) runner.egress(sent.length - repeated.length, ...marks);
        sent.push(...fresh);
        wanted.push(...fresh);
      }
      expect(network.sent).toEqual(wanted);
    }),
    { numRuns: 300 },
  );
});

class World {
  readonly gateway = new Gateway({
    ...{ vm: "v", gateway: number, readRecord: () => {}, onReport: () => {} },
  });
  readonly #network = new FakeNetwork();
  readonly #runners = new Map<number, FakeRunner>();
  #egress = 0;

  constructor() {
    this.gateway.setNetwork(this.#network);
  }

  perform({ who, epoch, does }: Move): void {
    const runner = this.#runners.get(who);
    if (does === "record") this.gateway.onRecord(recordOf(epoch, `r${who}`));
    else if (runner !== undefined) this.#performBy(runner, { who, epoch, does });
    else if (does === "attach") {
      this.#runners.set(who, new FakeRunner(this.gateway).attach(`r${who}`, epoch));
    }
  }

  #performBy(runner: FakeRunner, { who, epoch, does }: Move): void {
    if (does === "leave") {
      this.gateway.leave(runner.link);
      this.#runners.delete(who);
    }
    if (does === "renew") this.#renew(runner, epoch);
    if (does === "send") this.#send(runner, who);
  }

  /** To an epoch that may lie behind: that is an error of the runner's, and changes nothing. */
  #renew(runner: FakeRunner, epoch: number): void {
    try {
      runner.says({ kind: "renew", epoch });
    } catch (error) {
      expect(error).toBeInstanceOf(RunnerProtocolError);
    }
  }

  #send(runner: FakeRunner, who: number): void {
    const counts = this.gateway.attached?.nonce === `r${who}`;
    runner.egress(this.#egress, who);
    if (counts) this.#egress++;
    expect(this.#network.sent.length).toBe(this.#egress);
  }
}
