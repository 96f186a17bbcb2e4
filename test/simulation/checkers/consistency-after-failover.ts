/**
 * What the outside world has seen can be explained by one execution (the paper, section 2.2): each
 * console byte has one value for ever, each client sees a stream without a gap, what it typed comes
 * back once and in order, what it was told to be accepted is in the log that survives, and that
 * log prints just what was let out.
 */
import { consoleHistoryBytes } from "../../../src/shared/limits.ts";
import type { LogEntry } from "../../../src/vm-runner/replay/log-entry.ts";
import type { SimEvent } from "../events.ts";
import { type Checker, type Outcome, Violation } from "./checker.ts";
import { ConsoleBytes } from "./console-bytes.ts";
import { historyOf, type LogTree } from "./log-tree.ts";
import type { Survivor } from "./survivor.ts";
import { Writers } from "./writers.ts";

type Seen = SimEvent & { readonly kind: "seen" };
type Typed = SimEvent & { readonly kind: "typed" };

interface Client {
  typed: number;
  accepted: number;
  /** Where the next bytes that it sees begin; null: it has seen nothing. */
  seen: number | null;
}

export class ConsistencyChecker implements Checker {
  readonly #tree: LogTree;
  readonly #survivor: Survivor;
  readonly #clients = new Map<number, Client>();
  readonly #console = new ConsoleBytes();
  readonly #echoes = new Writers();

  constructor(tree: LogTree, survivor: Survivor) {
    this.#tree = tree;
    this.#survivor = survivor;
  }

  observe(event: SimEvent): void {
    this.#tree.observe(event);
    this.#survivor.observe(event);
    if (event.kind === "typed") this.#typed(event);
    if (event.kind === "accepted") this.#accepted(event.writer, event.position);
    if (event.kind === "seen") this.#seen(event);
    if (event.kind !== "released") return;
    const { process, output } = event;
    if (output.kind === "accepted") {
      this.#mustHaveTyped(output.writer, output.position, process);
      return;
    }
    if (output.kind !== "console") return;
    const before = this.#console.length;
    this.#console.put(process, output.position, output.bytes);
    this.#echoes.read(this.#console.from(before));
  }

  finish(outcome: Outcome): void {
    const written = new Map<number, number>();
    const history = historyOf(this.#survivor.tip(outcome.record));
    const printed = new ConsoleBytes();
    for (const { step, executor } of history) {
      takeInputs(written, step.entry);
      for (const output of step.outputs) {
        if (output.kind === "console") printed.put(executor, output.position, output.bytes);
      }
    }
    this.#console.mustBeginLike(printed);
    for (const [writer, { accepted }] of this.#clients) {
      const logged = written.get(writer) ?? 0;
      if (logged >= accepted) continue;
      const message = `writer ${writer} was told that its first ${accepted} bytes are in the log, and the surviving log has ${logged} of them`;
      throw new Violation("consistency after failover", message);
    }
  }

  #typed({ writer, position, bytes }: Typed): void {
    const client = this.#client(writer);
    if (position !== client.typed) {
      const message = `writer ${writer} typed at position ${position} after its first ${client.typed} bytes: the world is wrong`;
      throw new Violation("consistency after failover", message);
    }
    client.typed += bytes.length;
    this.#echoes.typed(writer, bytes);
  }

  #accepted(writer: number, position: number): void {
    this.#mustHaveTyped(writer, position, "the console");
    const client = this.#client(writer);
    client.accepted = Math.max(client.accepted, position);
  }

  #mustHaveTyped(writer: number, position: number, process: string): void {
    const { typed } = this.#client(writer);
    if (position <= typed) return;
    const message = `${process} accepted ${position} bytes of writer ${writer}, which has typed ${typed}`;
    throw new Violation("consistency after failover", message);
  }

  #seen({ writer, position, bytes }: Seen): void {
    const client = this.#client(writer);
    if (client.seen !== null && !this.#mayContinue(client.seen, position)) {
      const message = `writer ${writer} has seen the console up to position ${client.seen}, and then was given position ${position}`;
      throw new Violation("consistency after failover", message);
    }
    this.#console.mustHave(writer, position, bytes);
    client.seen = position + bytes.length;
  }

  /** A gap is no fault where nobody keeps so much: the client was away while more was printed. */
  #mayContinue(seen: number, position: number): boolean {
    if (position === seen) return true;
    return position > seen && this.#console.length - seen > consoleHistoryBytes;
  }

  #client(writer: number): Client {
    let client = this.#clients.get(writer);
    if (client === undefined) {
      client = { typed: 0, accepted: 0, seen: null };
      this.#clients.set(writer, client);
    }
    return client;
  }
}

/** What the log has of each writer: bytes sent twice count once, as in a real console. */
function takeInputs(written: Map<number, number>, entry: LogEntry): void {
  for (const input of entry.inputs) {
    if (input.kind !== "console") continue;
    const known = written.get(input.writer) ?? 0;
    if (input.position > known) {
      const message = `entry ${entry.index} has bytes of writer ${input.writer} at position ${input.position}; of those before only ${known} are in the log`;
      throw new Violation("consistency after failover", message);
    }
    written.set(input.writer, Math.max(known, input.position + input.bytes.length));
  }
}
