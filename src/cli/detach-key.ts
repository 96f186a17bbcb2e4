import { InvalidArgumentError } from "commander";

export interface DetachKey {
  /** As people write it: Ctrl-]. */
  readonly label: string;
  readonly byte: number;
}

export const defaultDetachKey: DetachKey = { label: "Ctrl-]", byte: 0x1d };

/** Caret notation: "^]" is Ctrl-]. */
export function parseDetachKey(text: string): DetachKey {
  const key = /^\^([A-Za-z@[\\\]^_])$/.exec(text)?.[1]?.toUpperCase();
  if (key === undefined) {
    throw new InvalidArgumentError('expected a control key such as "^]" or "^A"');
  }
  return { label: `Ctrl-${key}`, byte: key.charCodeAt(0) & 0x1f };
}
