/**
 * Everything by which JavaScript code could learn something that is not in the log, replaced in the
 * VM's own thread before v86 is imported. Inside a step, the machine's own clock and random stream
 * answer; what nothing may use there throws with the reason, which ends the runner (fail-stop).
 * Outside a step (while v86 sets up a fresh instance, whenever that happens to be) the answers are
 * constants, so that every fresh instance is the same. The thread's own loop uses the real clock
 * that it took before. This list and docs/determinism.md belong together.
 */
import { assert } from "../../shared/assert.ts";
import { wallClockBeforeStartMs } from "./virtual-clock.ts";

/** Where the answers come from inside a step. */
export interface StepEnvironment {
  readMs(): number;
  dateMs(): number;
  randomFraction(): number;
}

/** What `Math.random` answers outside a step. */
export const fractionOutside = 0.5;

const outside: StepEnvironment = {
  readMs: () => 0,
  dateMs: () => wallClockBeforeStartMs,
  randomFraction: () => fractionOutside,
};

const queues = ["setTimeout", "setInterval", "setImmediate", "queueMicrotask", "fetch"] as const;
const consoleMethods = ["log", "info", "warn", "error", "debug", "trace"] as const;
/** Methods of Date that depend on the host's time zone or language. */
const localDateMethod =
  /^(toLocale|toString|toDate|toTime|getTimezone|getYear|[gs]et(?!UTC|Time$))/;

let current = outside;
let installed = false;

/** Runs `work` as a part of a step: the replaced globals answer from `environment`. */
export function insideStep<T>(environment: StepEnvironment, work: () => T): T {
  assert(installed, "the global overrides must be installed before v86 is used");
  assert(current === outside, "a step inside a step");
  current = environment;
  try {
    return work();
  } finally {
    current = outside;
  }
}

/** Replaces the globals of this thread, once and for good. */
export function installGlobalOverrides(): void {
  if (installed) return;
  installed = true;
  // SAFETY: the globals are looked up by name; each is checked to be what it should be below.
  const scope = globalThis as unknown as Record<string, unknown>;
  define(scope, "performance", { now: () => current.readMs() });
  define(scope, "Date", virtualDate());
  Math.random = () => current.randomFraction();
  for (const name of queues)
    forbidInside(scope, name, "nothing in a step may wait for the event loop");
  const entropy = scope["crypto"];
  if (isObject(entropy))
    forbidInside(entropy, "getRandomValues", "use the machine's random stream");
  const terminal = scope["console"];
  if (isObject(terminal)) for (const name of consoleMethods) silenceInside(terminal, name);
}

function define(owner: object, name: string, value: unknown): void {
  Object.defineProperty(owner, name, { value, writable: true, configurable: true });
}

function forbidInside(owner: Record<string, unknown>, name: string, reason: string): void {
  replace(owner, name, (real, args) => {
    if (current !== outside) throw new Error(`${name} was called inside a step: ${reason}`);
    return Reflect.apply(real, owner, args);
  });
}

/** v86 reports a guest's mistakes on the console; the guest must not be able to fill our log. */
function silenceInside(owner: Record<string, unknown>, name: string): void {
  replace(owner, name, (real, args) => {
    return current === outside ? Reflect.apply(real, owner, args) : undefined;
  });
}

type AnyFunction = (...args: unknown[]) => unknown;

function replace(
  owner: Record<string, unknown>,
  name: string,
  call: (real: AnyFunction, args: unknown[]) => unknown,
): void {
  const real = owner[name];
  assert(typeof real === "function", `there is no global ${name} to replace`);
  // SAFETY: it was just checked to be a function.
  const replacement = (...args: unknown[]) => call(real as AnyFunction, args);
  // util.promisify finds its own version of a timer in the timer's properties.
  const { prototype: _, ...properties } = Object.getOwnPropertyDescriptors(real);
  define(owner, name, Object.defineProperties(replacement, properties));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function virtualDate(): unknown {
  const RealDate = globalThis.Date;
  class VirtualDate extends RealDate {
    constructor(value?: number | string, ...parts: readonly unknown[]) {
      if (parts.length > 0) throw new Error("a Date of parts has a time zone: use Date.UTC");
      super(value ?? current.dateMs());
    }
    static override now(): number {
      return current.dateMs();
    }
  }
  const prototype = Object.getOwnPropertyNames(RealDate.prototype);
  for (const name of prototype.filter((method) => localDateMethod.test(method))) {
    // SAFETY: the methods of a Date's prototype are looked up by name; `replace` checks the type.
    replaceLocal(
      VirtualDate.prototype,
      RealDate.prototype as unknown as Record<string, AnyFunction>,
      name,
    );
  }
  return VirtualDate;
}

function replaceLocal(target: object, real: Record<string, AnyFunction>, name: string): void {
  define(target, name, function (this: unknown, ...args: unknown[]) {
    if (current !== outside) {
      throw new Error(`Date.${name} was called inside a step: it depends on the host's time zone`);
    }
    const method = real[name];
    assert(method !== undefined, `a Date has no method ${name}`);
    return Reflect.apply(method, this, args);
  });
}
