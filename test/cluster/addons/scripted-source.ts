/** An API server for tests: it answers what it was told to, in order, and remembers what it was asked. */
import { once } from "node:events";
import type { KubernetesObject } from "./kubernetes-objects.ts";
import type { ObjectSource } from "./watched-objects.ts";

export class ScriptedSource implements ObjectSource {
  readonly asked: string[] = [];
  /** What the next requests are answered with; an Error: they fail with it. */
  readonly answers: (object | Error)[] = [];
  /** The events of the next watches; one that is not there lasts until it is stopped. */
  readonly watches: (readonly object[])[] = [];

  async get(path: string): Promise<unknown> {
    this.asked.push(`GET ${path}`);
    const answer = this.answers.shift() ?? new Error("nobody told what to answer");
    if (answer instanceof Error) throw answer;
    return answer;
  }

  async *lines(path: string, signal: AbortSignal): AsyncGenerator<string> {
    this.asked.push(`WATCH ${new URLSearchParams(path.split("?")[1]).get("resourceVersion")}`);
    const events = this.watches.shift();
    for (const event of events ?? []) yield JSON.stringify(event);
    if (events !== undefined) return;
    if (!signal.aborted) await once(signal, "abort");
    throw new Error("aborted");
  }
}

export function listOf(resourceVersion: string, items: readonly KubernetesObject[]): object {
  return { metadata: { resourceVersion }, items };
}
