/**
 * Asserts stay on in production. A broken invariant stops the process: in a fault-tolerant pair
 * fail-stop is the fault the system is built for, so an assert turns corruption into a failover.
 */
class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Throws when `condition` is false; the message names the broken invariant with its values. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** For the branch that the types rule out. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
