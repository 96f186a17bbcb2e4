/**
 * Plants a deliberate bug: the text of a source file is changed while Node loads it, so the code
 * itself knows nothing of bugs. It holds for this thread, and for modules not loaded yet.
 */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import type { Bug, Edit } from "./bugs.ts";

const root = new URL("../../../", import.meta.url);

/** @throws Error when a text that is to be replaced is not exactly once in its file. */
export function plantBug(bug: Bug): void {
  const sources = new Map<string, string>();
  for (const edit of bug.edits) {
    const url = new URL(edit.file, root).href;
    const text = sources.get(url) ?? readFileSync(fileURLToPath(url), "utf8");
    sources.set(url, edited(bug.name, edit, text));
  }
  registerHooks({
    load(url, context, nextLoad) {
      const source = sources.get(url);
      if (source === undefined) return nextLoad(url, context);
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}

/** `text` with the edit made. */
export function edited(bug: string, { file, find, replace }: Edit, text: string): string {
  const times = text.split(find).length - 1;
  if (times !== 1) {
    throw new Error(
      `bug "${bug}": its text is ${times} times in ${file}, expected once: ${JSON.stringify(find)}`,
    );
  }
  return text.replace(find, () => replace);
}
