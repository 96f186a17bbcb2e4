/**
 * A pair on this computer: an arbiter, a gateway and two runners as children of this process. It
 * keeps looking at them, starts a new backup for one that ended, and says when the VM has ended. Who
 * is primary is decided by the record alone; nothing here ever guesses it.
 */
import type { GatewayStatus } from "../../shared/protocol/gateway-status.ts";
import type { VmRecord } from "../../shared/protocol/record.ts";
import type { ArbiterClient } from "../../storage-arbiter/record/arbiter-client.ts";
import type { ReadyCondition } from "../ready-condition.ts";
import type { ArbiterProcess } from "./arbiter-process.ts";
import type { HalfView, NetworkView, PairEnd, PairEvent, PairView } from "./events.ts";
import { readGatewayStatus } from "./gateway-client.ts";
import type { GatewayProcess } from "./gateway-process.ts";
import { GuestReadiness } from "./guest-readiness.ts";
import { describeExit, Half } from "./half.ts";
import { processStart } from "./process-start.ts";
import { askPowerOff, readStatus } from "./runner-client.ts";
import { noteSilences, type Silences, silentTooLong } from "./silence.ts";
import {
  type Address,
  type GatewayEntry,
  type PairEntry,
  type StateFiles,
  writeEntry,
} from "./state-directory.ts";
import { changes } from "./view-changes.ts";

export interface PairParts {
  readonly name: string;
  readonly vm: string;
  readonly key: Uint8Array;
  readonly files: StateFiles;
  readonly arbiter: ArbiterProcess;
  /** Null: the guest has no network. */
  readonly gateway: GatewayProcess | null;
  readonly records: ArbiterClient;
  readonly addresses: readonly [HalfAddresses, HalfAddresses];
  /** Arguments of `lockstep runner` that both halves share. */
  readonly runnerArgs: readonly string[];
  /** When the guest counts as ready; null: nobody wants to know. */
  readonly ready: ReadyCondition | null;
  readonly lookIntervalMs: number;
  readonly onEvent: (event: PairEvent) => void;
  readonly onView: (view: PairView) => void;
}

export interface HalfAddresses {
  readonly channel: Address;
  readonly http: Address;
}

/** How long the primary has to switch the VM off before everything is killed. */
const powerOffGraceMs = 8_000;
/** Readings of the record this far apart must agree that nobody is left who could go on. */
const lostConfirmMs = 1_500;

export class Pair {
  /** Resolves when nothing of the pair runs any more. */
  readonly ended: Promise<PairEnd>;
  readonly #parts: PairParts;
  readonly #halves: readonly [Half, Half];
  #resolveEnded: (end: PairEnd) => void = () => {};
  #web: string | null = null;
  #view: PairView;
  readonly #readiness: GuestReadiness | null;
  #published = "";
  #timer: NodeJS.Timeout | null = null;
  #silences: Silences = {};
  #ending = false;

  constructor(parts: PairParts) {
    this.#parts = parts;
    this.#halves = [this.#half("a", 0, 1), this.#half("b", 1, 0)];
    this.#readiness = this.#watchGuest();
    this.#view = {
      ...{ name: parts.name, vm: parts.vm, record: null, halves: this.#halfViews([]) },
      ...{ network: this.#networkView(null), guest: this.#readiness?.view ?? null },
    };
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
  }

  get name(): string {
    return this.#parts.name;
  }

  get vm(): string {
    return this.#parts.vm;
  }

  get key(): Uint8Array {
    return this.#parts.key;
  }

  /** Both runners' consoles. */
  get consoles(): readonly Address[] {
    return this.#parts.addresses.map(({ channel }) => channel);
  }

  get view(): PairView {
    return this.#view;
  }

  /** Tells other commands where the web page is. */
  publishWeb(address: string | null): void {
    this.#web = address;
    this.#publish();
  }

  /** Starts both halves; false: one of them did not come up, and nothing is left of either. */
  async start(): Promise<boolean> {
    this.#publish();
    const served = await Promise.all(this.#halves.map((half) => half.start()));
    if (served.includes(false)) return false;
    void this.#look();
    return true;
  }

  /** Why a half that did not come up ended; its exit code with it. */
  get failedStart(): { readonly code: number | null; readonly reason: string } {
    const exit = this.#halves.map((half) => half.lastExit).find((known) => known !== null) ?? null;
    if (exit === null) return { code: null, reason: "a runner did not say that it serves in time" };
    return { code: exit.code, reason: `a runner ${describeExit(exit)}` };
  }

  /** Kills the runner that has this role now, whichever half it is; null: there is none. */
  async kill(role: "primary" | "backup"): Promise<HalfView | null> {
    await this.#refresh();
    const wanted = this.#view.record?.[role] ?? null;
    const half = this.#halves.find(({ nonce }) => nonce !== null && nonce === wanted);
    const seen = this.#view.halves.find(({ nonce }) => nonce !== null && nonce === wanted);
    if (half === undefined || seen === undefined) return null;
    half.kill("SIGKILL");
    return seen;
  }

  /** Switches the VM off through the log, and ends everything. */
  async powerOff(): Promise<void> {
    if (this.#ending) return;
    this.#ending = true;
    for (const half of this.#halves) half.retire();
    const accepted = await Promise.all(this.#halves.map((half) => askPowerOff(half.http)));
    if (accepted.includes(true)) {
      await within(powerOffGraceMs, Promise.all(this.#halves.map((half) => half.ended())));
    }
    await this.close();
    this.#resolveEnded({ kind: "powered off" });
  }

  /** Ends every process at once, whatever the VM does. */
  async close(): Promise<void> {
    this.#ending = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const half of this.#halves) half.retire();
    for (const half of this.#halves) half.kill("SIGKILL");
    await Promise.all(this.#halves.map((half) => half.ended()));
    this.#readiness?.close();
    this.#parts.records.close();
    await Promise.all([this.#parts.gateway?.stop(), this.#parts.arbiter.stop()]);
  }

  #half(id: "a" | "b", own: 0 | 1, other: 0 | 1): Half {
    const { addresses, runnerArgs, files } = this.#parts;
    const peer = addresses[other].channel;
    return new Half({
      id,
      ...addresses[own],
      files,
      args: [...runnerArgs, "--peer", `${peer.host}:${peer.port}`],
      onEvent: (event) => this.#tell(event),
      onChange: () => this.#publish(),
      onEnded: () => void this.#onEnded(),
    });
  }

  #watchGuest(): GuestReadiness | null {
    const { ready: condition, vm, key } = this.#parts;
    if (condition === null) return null;
    return new GuestReadiness({ condition, console: { vm, key, endpoints: this.consoles } });
  }

  /** After a half ended: is the VM off, is it lost, or is a new backup wanted? */
  async #onEnded(): Promise<void> {
    if (this.#ending) return;
    const record = await this.#readRecord();
    if (record !== null && isOff(record)) return this.#finish({ kind: "powered off" });
    if (record !== null && (await this.#isLost(record))) {
      const reason = this.#halves
        .flatMap(({ id, lastExit }) =>
          lastExit === null ? [] : [`runner ${id} ${describeExit(lastExit)}`],
        )
        .join("; ");
      return this.#finish({ kind: "lost", reason });
    }
    for (const half of this.#halves) half.restart();
  }

  async #finish(end: PairEnd): Promise<void> {
    if (this.#ending) return;
    await this.close();
    this.#resolveEnded(end);
  }

  /** Nobody whom the record names is left, and no request that was under way changed that. */
  async #isLost(record: VmRecord): Promise<boolean> {
    if (record.epoch === 0 || this.#namesSomebodyHere(record)) return false;
    await pause(lostConfirmMs);
    const again = await this.#readRecord();
    return again !== null && !isOff(again) && !this.#namesSomebodyHere(again);
  }

  #namesSomebodyHere({ primary, backup }: VmRecord): boolean {
    return this.#halves.some(({ nonce }) => nonce !== null && [primary, backup].includes(nonce));
  }

  async #readRecord(): Promise<VmRecord | null> {
    const answer = await this.#parts.records.read();
    return answer.kind === "read" ? answer.record : null;
  }

  async #look(): Promise<void> {
    if (this.#ending) return;
    await this.#refresh();
    if (this.#ending) return;
    this.#timer = setTimeout(() => void this.#look(), this.#parts.lookIntervalMs);
  }

  async #refresh(): Promise<void> {
    const { gateway } = this.#parts;
    const [network, ...statuses] = await Promise.all([
      gateway === null ? null : readGatewayStatus(gateway.http),
      ...this.#halves.map((half) => readStatus(half.http)),
    ]);
    const before = this.#view;
    const halves = this.#halfViews(statuses);
    const record = newestRecord(before, halves);
    const networkView = this.#networkView(network);
    this.#readiness?.onNetwork(networkView);
    const guest = this.#readiness?.view ?? null;
    this.#view = { ...before, halves, record, guest, network: networkView };
    for (const event of changes(before, this.#view)) this.#tell(event);
    this.#publish();
    this.#endTheSilent(performance.now());
    this.#parts.onView(this.#view);
  }

  /** A frozen half that was replaced would otherwise keep the place of a new backup. */
  #endTheSilent(nowMs: number): void {
    this.#silences = noteSilences(this.#silences, this.#view, nowMs);
    const ids = silentTooLong(this.#silences, nowMs);
    for (const half of this.#halves) if (ids.includes(half.id)) half.kill("SIGKILL");
  }

  /** What happens while everything is being ended is no news. */
  #tell(event: PairEvent): void {
    if (!this.#ending) this.#parts.onEvent(event);
  }

  #halfViews(statuses: readonly (HalfView["status"] | null)[]): [HalfView, HalfView] {
    const view = (half: Half, status: HalfView["status"]): HalfView => {
      const isOwn = status !== null && status.nonce === half.nonce;
      return { id: half.id, pid: half.pid, nonce: half.nonce, status: isOwn ? status : null };
    };
    return [view(this.#halves[0], statuses[0] ?? null), view(this.#halves[1], statuses[1] ?? null)];
  }

  #networkView(status: GatewayStatus | null): NetworkView | null {
    const { gateway } = this.#parts;
    return gateway === null ? null : { pid: gateway.pid, ports: gateway.ports, status };
  }

  /** Tells other commands what there is to find, when that changed. */
  #publish(): void {
    if (this.#ending) return;
    const entry = this.#entry();
    const text = JSON.stringify(entry);
    if (text !== this.#published) writeEntry(entry);
    this.#published = text;
  }

  #entry(): PairEntry {
    const [a, b] = this.#halves;
    const { name, vm, arbiter, gateway } = this.#parts;
    const entry = ({ id, channel, http, pid, nonce }: Half) => ({ id, channel, http, pid, nonce });
    return {
      format: 2,
      ...{ name, vm },
      pid: process.pid,
      processStart: processStart(process.pid) ?? "",
      arbiter: arbiter.address,
      halves: [entry(a), entry(b)],
      gateway: gateway === null ? null : gatewayEntry(gateway),
      guest: this.#readiness?.view ?? null,
      web: this.#web,
    };
  }
}

function gatewayEntry({ address, http, pid, ports }: GatewayProcess): GatewayEntry {
  return { address, http, pid, ports: [...ports] };
}

function isOff({ epoch, primary }: VmRecord): boolean {
  return epoch > 0 && primary === null;
}

/** What the runner that knows the highest epoch knows, or what was known before. */
function newestRecord({ record, vm }: PairView, halves: readonly HalfView[]): VmRecord | null {
  let newest = record;
  for (const { status } of halves) {
    if (status === null || status.epoch === null) continue;
    if (newest !== null && status.epoch <= newest.epoch) continue;
    const { epoch, primary, backup, takeovers } = status;
    newest = { vm, epoch, primary, backup, takeovers };
  }
  return newest;
}

/** Resolves when `work` does, and at the latest after `ms`. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeUp = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([work, timeUp]);
  clearTimeout(timer);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
