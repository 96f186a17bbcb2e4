/**
 * How V8 collects what a process with many short-lived buffers leaves behind. By default every few
 * megabytes of dead buffers make it stop the whole thread for a collection of everything (16 ms,
 * and more on a busy computer), since it counts their bytes apart from its own heap. Counted
 * together, they go with the young objects that hold them, in a millisecond.
 */
import v8 from "node:v8";
import vm from "node:vm";

/** For the whole process and all its threads; before anything large is allocated. */
export function collectBuffersWithObjects(): void {
  v8.setFlagsFromString("--external-memory-accounted-in-global-limit");
}

/**
 * Gives a function that collects everything that is dead in this thread, now. For the moments at which a
 * thread that makes next to no objects, and so is never collected, has let go of the memory of a machine.
 */
export function fullCollector(): () => void {
  v8.setFlagsFromString("--expose-gc");
  // SAFETY: with this flag every new context has the function.
  return vm.runInNewContext("gc") as () => void;
}
