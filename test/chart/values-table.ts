/** The chart's values with the comments that explain them, as a table for readers. Pure. */

export interface DescribedValue {
  /** As --set takes it: image.tag. */
  readonly name: string;
  /** As values.yaml writes it; null: it has values of its own. */
  readonly value: string | null;
  readonly description: string;
}

/** Fields of values that are taken as a whole, such as labels: no values of their own. */
const wholes = /(^|\.)(requests|limits|labels)$/;

/** The layout is values.yaml's own: two spaces a level, comments above what they explain. */
export function describedValues(yaml: string): DescribedValue[] {
  const found: DescribedValue[] = [];
  let comments: string[] = [];
  let parents: string[] = [];
  for (const line of yaml.split("\n")) {
    const [, indent = "", comment, key, value = ""] =
      /^( *)(?:# (.*)|([A-Za-z]+): ?(.*))$/.exec(line) ?? [];
    if (comment !== undefined) comments.push(comment);
    if (key === undefined) continue;
    parents = [...parents.slice(0, indent.length / 2), key];
    const name = parents.join(".");
    const isPart = found.some(
      (whole) => wholes.test(whole.name) && name.startsWith(`${whole.name}.`),
    );
    if (!isPart) {
      found.push({ name, value: value === "" ? null : value, description: comments.join(" ") });
    }
    comments = [];
  }
  return found.map((one) => (wholes.test(one.name) ? withParts(one, yaml) : one));
}

/** A whole that is written in several lines, in one. */
function withParts(whole: DescribedValue, yaml: string): DescribedValue {
  if (whole.value !== null) return whole;
  const key = whole.name.split(".").at(-1) ?? "";
  const parts = new RegExp(`^( *)${key}:\\n((?:\\1  \\S.*\\n)+)`, "m").exec(yaml)?.[2] ?? "";
  const fields = parts.trim().split(/\n */).join(", ");
  return { ...whole, value: `{${fields}}` };
}

export function valuesTable(values: readonly DescribedValue[]): string {
  const rows = values.map(({ name, value, description }) => {
    return value === null
      ? `| **\`${name}\`** | | ${description} |`
      : `| \`${name}\` | \`${value}\` | ${description} |`;
  });
  return ["| value | default | |", "|---|---|---|", ...rows, ""].join("\n");
}
