/** The record as a Lease of a real API server, changed by clients with the rights of a runner. */
import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, jest, test } from "@jest/globals";
import { until } from "../../bench/waiting.ts";
import type { RecordRequest } from "../../src/shared/protocol/record.ts";
import { inClusterApi } from "../../src/storage-arbiter/record/in-cluster.ts";
import { leaseAnnotations } from "../../src/storage-arbiter/record/kube-lease.ts";
import type { LeaseClient } from "../../src/storage-arbiter/record/lease-client.ts";
import type { ApplyAnswer } from "../../src/storage-arbiter/record/record-client.ts";
import { DelayProxy } from "../cluster/delay-proxy.ts";
import { describeWithApi, unlessSkipped, withApi } from "./api-level.ts";
import { LeaseAccount, leaseOf, leases } from "./lease-account.ts";

jest.setTimeout(180_000);
const [a, b, c] = ["web-runner-0_0a", "web-runner-1_0b", "web-runner-2_0c"] as const;
/** For tests of what is answered, not of how fast, on a computer that has other things to do. */
const patientMs = 30_000;

describeWithApi(`the record as a Lease${unlessSkipped}`, () => {
  const api = withApi("lease");
  let account: LeaseAccount;
  let client: LeaseClient;
  let vm: string;

  beforeEach(async () => {
    vm = randomUUID();
    account = await LeaseAccount.create(api(), { name: `web-${vm.slice(0, 8)}`, vm });
    client = account.client({ timeoutMs: patientMs });
  });
  afterEach(() => account.close());

  const start = (runner: string): RecordRequest => ({ kind: "start", vm, runner, epoch: 0 });
  const pair = (runner: string, backup: string, epoch: number): RecordRequest => {
    return { kind: "pair", vm, runner, backup, epoch };
  };
  const simple = (
    kind: "takeover" | "alone" | "handover" | "stop",
    runner: string,
    epoch: number,
  ): RecordRequest => ({ kind, vm, runner, epoch });

  /** The named pair a, b at epoch 2. */
  const pairUp = async () => {
    await granted(client.apply(start(a)));
    await granted(client.apply(pair(a, b, 1)));
  };
  const annotate = async (value: string) => {
    const change = { metadata: { annotations: { "example.com/note": value } } };
    const { status } = await api().admin.merge(`${leases}/${account.name}`, change);
    expect(status).toBe(200);
  };

  test("goes through a VM's whole life, and says who is where to whoever looks", async () => {
    const addresses = new Map<string, string>([
      [a, "10.0.0.1"],
      [b, "10.0.0.2"],
    ]);
    const own = account.client({ addresses, timeoutMs: patientMs });
    expect(await own.read()).toEqual({
      kind: "read",
      record: { vm, epoch: 0, primary: null, backup: null, takeovers: 0 },
    });
    expect(await granted(own.apply(start(a)))).toMatchObject({ epoch: 1, primary: a });
    expect(await granted(own.apply(pair(a, b, 1)))).toMatchObject({ epoch: 2, backup: b });
    const { spec, metadata } = await account.lease();
    expect(spec).toMatchObject({ holderIdentity: a, leaseTransitions: 2 });
    expect(metadata.annotations).toMatchObject({
      [leaseAnnotations.backup]: b,
      [leaseAnnotations.primaryAddress]: "10.0.0.1",
      [leaseAnnotations.backupAddress]: "10.0.0.2",
    });
    const takeover = await granted(client.apply(simple("takeover", b, 2)));
    expect(takeover).toMatchObject({ epoch: 3, primary: b, backup: null, takeovers: 1 });
    expect(await granted(client.apply(pair(b, c, 3)))).toMatchObject({ epoch: 4, backup: c });
    const handover = await granted(own.apply(simple("handover", b, 4)));
    expect(handover).toMatchObject({ epoch: 5, primary: c, backup: b, takeovers: 1 });
    expect(await granted(own.apply(simple("alone", c, 5)))).toMatchObject({ backup: null });
    const stopped = { vm, epoch: 7, primary: null, backup: null, takeovers: 1 };
    expect(await granted(own.apply(simple("stop", c, 6)))).toEqual(stopped);
    expect(await client.read()).toEqual({ kind: "read", record: stopped });
    const restart = { kind: "restart", vm, runner: a, epoch: 7, bothProvenGone: true } as const;
    expect(await granted(client.apply(restart))).toMatchObject({ epoch: 8, primary: a });
  });

  test("is won by exactly one of twenty that want to be first", async () => {
    const runners = Array.from({ length: 20 }, (_, i) => `runner-${i}`);
    const answers = await raced(runners.map((runner) => start(runner)));
    expect(count(answers, "granted")).toBe(1);
    expect(count(answers, "already started")).toBe(19);
    const winner = answers.findIndex(({ kind }) => kind === "granted");
    expect(await client.read()).toMatchObject({ record: { epoch: 1, primary: runners[winner] } });
  });

  test("is taken over by the backup or kept by the primary, never both, whoever asks how often", async () => {
    await pairUp();
    const requests = Array.from({ length: 20 }, (_, i) => {
      return i % 2 === 0 ? simple("takeover", b, 2) : simple("alone", a, 2);
    });
    const answers = await raced(requests);
    const winners = answers.filter(({ kind }) => kind === "granted").length;
    const { record } = await mustRead(client);
    expect(record).toMatchObject({ epoch: 3, primary: expect.stringMatching(/_0[ab]$/) });
    // Each asked ten times, in ten processes: the same result is granted to all of one side.
    expect(winners).toBe(10);
    for (const [i, answer] of answers.entries()) {
      const won = requests[i]?.kind === (record?.primary === b ? "takeover" : "alone");
      expect(answer.kind).toBe(won ? "granted" : "refused");
    }
  });

  test("is changed although somebody wrote an annotation in between, which stays", async () => {
    await pairUp();
    await annotate("theirs");
    expect(await granted(client.apply(simple("takeover", b, 2)))).toMatchObject({ epoch: 3 });
    const { metadata } = await account.lease();
    expect(metadata.annotations).toMatchObject({ "example.com/note": "theirs" });
  });

  test("is changed while somebody writes annotations all the time", async () => {
    await pairUp();
    let writing = true;
    const writer = (async () => {
      for (let i = 0; writing; i++) await annotate(String(i));
    })();
    for (let epoch = 2; epoch < 22; epoch++) {
      await until("a grant between the writes", async () => {
        const answer = await client.apply(simple("alone", a, epoch));
        if (answer.kind === "refused") throw new Error(answer.reason);
        return answer.kind === "granted" ? true : null;
      });
    }
    writing = false;
    await writer;
    expect(await mustRead(client)).toMatchObject({ record: { epoch: 22, primary: a } });
  });

  test("is refused to nobody because of what a client remembers of it", async () => {
    await pairUp();
    const other = account.client({ timeoutMs: patientMs });
    await granted(other.apply(simple("takeover", b, 2)));
    await granted(other.apply(pair(b, c, 3)));
    // The first client has last seen epoch 2, at which c was nobody.
    expect(await granted(client.apply(simple("takeover", c, 4)))).toMatchObject({ primary: c });
    expect(await client.apply(simple("alone", b, 4))).toMatchObject({
      kind: "refused",
      reason: "stale epoch",
      record: { epoch: 5 },
    });
  });

  test("that is of another VM is no answer, and stays as it is", async () => {
    const stranger = account.client({ vm: randomUUID(), timeoutMs: patientMs });
    const message = expect.stringContaining(`is the record of VM ${vm}, not of`);
    expect(await stranger.read()).toMatchObject({ kind: "no answer", message });
    const request = { kind: "start", vm: randomUUID(), runner: a, epoch: 0 } as const;
    expect(await stranger.apply(request)).toMatchObject({ kind: "no answer" });
    expect(await mustRead(client)).toMatchObject({ record: { epoch: 0 } });
  });

  test("that was deleted is missing, and nobody brings it back", async () => {
    await pairUp();
    await account.allow(["get", "update", "create", "patch"], {}, `${account.name}-more`);
    await api().admin.delete(`${leases}/${account.name}`);
    expect(await client.apply(simple("takeover", b, 2))).toEqual({
      kind: "refused",
      reason: "missing record",
      record: null,
    });
    expect(await client.read()).toEqual({ kind: "read", record: null });
    expect(await api().admin.get(`${leases}/${account.name}`)).toMatchObject({ status: 404 });
  });

  test("that was deleted and made again is never written over from memory", async () => {
    await pairUp();
    await api().admin.delete(`${leases}/${account.name}`);
    await api().admin.create(leases, leaseOf(account.name, vm));
    expect(await client.apply(simple("takeover", b, 2))).toMatchObject({
      kind: "refused",
      reason: "unknown epoch",
      record: { epoch: 0 },
    });
  });

  test("needs get and update of this one Lease; what else is asked for is no answer that says so", async () => {
    const other = `${account.name}-other`;
    await api().admin.create(leases, leaseOf(other, vm));
    const astray = account.client({ lease: other, timeoutMs: patientMs });
    const message = expect.stringMatching(
      /does not let this pod get Lease default\/.*-other: a role of its service account must allow it/,
    );
    expect(await astray.read()).toMatchObject({ kind: "no answer", message, wrongKey: false });
    expect(await astray.apply(start(a))).toMatchObject({ kind: "no answer", message });
    const { body } = await api().admin.get(`${leases}/${other}`);
    expect(body).toMatchObject({ spec: { leaseTransitions: 0 } });
  });

  test("is reached with a new token when the old one ends, by a client that was made before", async () => {
    await account.writeToken("abc");
    const message = expect.stringContaining("does not take the token of this pod");
    expect(await client.read()).toMatchObject({ kind: "no answer", message });
    await account.renewToken();
    expect(await mustRead(client)).toMatchObject({ record: { epoch: 0 } });
    const server = inClusterApi(account.environment);
    let reads = 0;
    const credentials = () => {
      const now = server.credentials();
      return reads++ === 0 ? { ...now, token: "abc" } : now;
    };
    const rotating = account.client({ server: { credentials }, timeoutMs: patientMs });
    expect(await mustRead(rotating)).toMatchObject({ record: { epoch: 0 } });
    expect(reads).toBe(2);
  });

  test("whose token cannot be read is no answer", async () => {
    const credentials = () => {
      throw new Error("no such file");
    };
    const blind = account.client({ server: { credentials } });
    const message = expect.stringContaining("did not answer: no such file");
    expect(await blind.read()).toMatchObject({ kind: "no answer", message });
  });

  describeSlowApi(() => ({ account, vm }));

  test("gives no answer while the API server is down, and the right one after it", async () => {
    await pairUp();
    await api().cluster.apiStop();
    const message = expect.stringMatching(/^API server 127\.\S+ did not answer/);
    expect(await client.read()).toMatchObject({ kind: "no answer", message });
    expect(await client.apply(simple("takeover", b, 2))).toMatchObject({ kind: "no answer" });
    await api().cluster.apiStart();
    // Until its rules of access are read it refuses everybody, which is no answer either.
    const answer = await until("an answer", async () => {
      const now = await client.apply(simple("takeover", b, 2));
      return now.kind === "no answer" ? null : now;
    });
    expect(answer).toMatchObject({ kind: "granted", record: { epoch: 3, primary: b } });
  });

  /** Each from a client of its own, all at once. */
  const raced = async (requests: readonly RecordRequest[]): Promise<ApplyAnswer[]> => {
    const clients = requests.map(() => account.client({ timeoutMs: patientMs }));
    await Promise.all(clients.map((one) => one.read()));
    const asked = requests.map(async (request, i) => {
      const one = clients[i];
      if (one === undefined) throw new Error("no such client");
      return await until("an answer", async () => {
        const answer = await one.apply(request);
        return answer.kind === "no answer" ? null : answer;
      });
    });
    return await Promise.all(asked);
  };
});

/** With a proxy on the way that makes it long. */
function describeSlowApi(of: () => { account: LeaseAccount; vm: string }): void {
  let proxy: DelayProxy;
  let slow: LeaseClient;

  const open = async (timeoutMs: number) => {
    const { host, port } = inClusterApi(of().account.environment);
    proxy = await DelayProxy.start({ target: { host, port } });
    slow = of().account.client({ server: { host: "127.0.0.1", port: proxy.port }, timeoutMs });
    await until("a first answer", async () => ((await slow.read()).kind === "read" ? true : null));
  };
  afterEach(() => proxy?.close());

  test("that is slow answers all the same, as long as it takes no longer than the bound", async () => {
    await open(patientMs);
    proxy.delayMs = 150;
    const { vm } = of();
    const request = { kind: "start", vm, runner: a, epoch: 0 } as const;
    expect(await slow.apply(request)).toMatchObject({ kind: "granted", record: { epoch: 1 } });
  });

  test("that answers after the bound gives no answer, and what it did is found by asking again", async () => {
    await open(1_000);
    proxy.delayMs = 800;
    const { account, vm } = of();
    const request = { kind: "start", vm, runner: a, epoch: 0 } as const;
    const message = expect.stringContaining("did not answer within 1000 ms");
    expect(await slow.apply(request)).toEqual({ kind: "no answer", message, wrongKey: false });
    // It lands after all.
    await until("the late change", async () => {
      return (await account.lease()).spec?.leaseTransitions === 1 ? true : null;
    });
    proxy.delayMs = 0;
    const answer = await until("an answer", async () => {
      const now = await slow.apply(request);
      return now.kind === "no answer" ? null : now;
    });
    expect(answer).toMatchObject({ kind: "granted", record: { epoch: 1, primary: a } });
    const { account: same } = of();
    expect((await same.lease()).spec?.leaseTransitions).toBe(1);
  });

  test("that fell silent on a connection is asked on a new one", async () => {
    await open(1_000);
    proxy.delayMs = 60_000;
    expect(await slow.read()).toMatchObject({ kind: "no answer" });
    proxy.delayMs = 0;
    await until("an answer", async () => ((await slow.read()).kind === "read" ? true : null));
  });
}

async function granted(answer: Promise<ApplyAnswer>) {
  const { kind, ...rest } = await answer;
  if (kind !== "granted" || !("record" in rest)) throw new Error(JSON.stringify({ kind, ...rest }));
  return rest.record;
}

async function mustRead(client: LeaseClient) {
  const answer = await client.read();
  if (answer.kind !== "read") throw new Error(answer.message);
  return answer;
}

/** Granted ones, or those refused for this reason. */
function count(answers: readonly ApplyAnswer[], what: string): number {
  return answers.filter((answer) => {
    return what === (answer.kind === "refused" ? answer.reason : answer.kind);
  }).length;
}
