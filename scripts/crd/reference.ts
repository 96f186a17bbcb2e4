/** The reference of the API as a page: a table for each object of the schema. */
import type { Definition } from "./definition.ts";
import type { StructuralSchema } from "./structural-schema.ts";

export function apiReference(definition: Definition): string {
  const { group, names, versions } = definition.spec;
  const [version] = versions;
  if (version === undefined) throw new Error("the definition has no version");
  const { description, properties = {}, ...rest } = version.schema.openAPIV3Schema;
  const { spec, status } = properties;
  if (spec === undefined || status === undefined) throw new Error("spec or status is missing");
  const short = names.shortNames.map((name) => `\`${name}\``).join(", ");
  const intro = [
    `# API reference: ${names.kind}`,
    "",
    "This page is made from the types of the API by `npm run generate`.",
    "",
    `\`${group}/${version.name}\`, kind \`${names.kind}\`, short name ${short}. ${description}`,
    "",
    "`kubectl explain ftvm.spec` shows the same on a cluster. A field without a default that is not",
    "required may be left out. What conditions mean, and what to do about them:",
    "[troubleshooting.md](troubleshooting.md).",
    ...rulesOf(rest),
  ];
  return `${[...intro, ...section("spec", spec), ...section("status", status)].join("\n")}\n`;
}

/** The table of one object, and after it those of the objects in it. */
function section(at: string, schema: StructuralSchema): string[] {
  const object = schema.items ?? schema;
  const entries = Object.entries(object.properties ?? {});
  const required = new Set(object.required);
  const isStatus = at === "status" || at.startsWith("status.");
  const rows = entries.map(([name, field]) => {
    const words = wordsOf(field);
    const cells = [
      `\`${name}\``,
      typeOf(`${at}.${name}`, field),
      ...(isStatus ? [] : [defaultOf(field, required.has(name)), constraintsOf(field)]),
      [field.description, isStatus && words ? `One of ${words}.` : ""].join(" ").trim(),
    ];
    return `| ${cells.map(escaped).join(" | ")} |`;
  });
  const heads = ["Field", "Type", ...(isStatus ? [] : ["Default", "Constraints"]), "Description"];
  const below = entries.flatMap(([name, field]) =>
    hasTable(field) ? section(`${at}.${name}`, field) : [],
  );
  const about = schema.description ?? object.description;
  return [
    "",
    `${at.includes(".") ? "###" : "##"} ${at}${schema.items === undefined ? "" : "[]"}`,
    ...(about === undefined ? [] : ["", about]),
    "",
    `| ${heads.join(" | ")} |`,
    `|${heads.map(() => "---").join("|")}|`,
    ...rows,
    ...(isStatus ? [] : rulesOf(object)),
    ...below,
  ];
}

function hasTable(field: StructuralSchema): boolean {
  return (field.items ?? field).properties !== undefined;
}

function typeOf(at: string, field: StructuralSchema): string {
  const { items, additionalProperties: values } = field;
  const word = (schema: StructuralSchema) =>
    schema["x-kubernetes-int-or-string"] === true ? "quantity" : (schema.type ?? "");
  if (hasTable(field)) {
    const text = items === undefined ? at : `${at}[]`;
    return `[${items === undefined ? "object" : "list of objects"}](#${anchor(text)})`;
  }
  if (items !== undefined) return `list of ${word(items)}`;
  if (values !== undefined) return `map of ${word(values)}`;
  return field["format"] === "date-time" ? "time" : word(field);
}

/** As a page's heading is called in links to it. */
function anchor(heading: string): string {
  return heading.toLowerCase().replace(/[^a-z0-9_-]/g, "");
}

function defaultOf(field: StructuralSchema, isRequired: boolean): string {
  if (isRequired) return "required";
  const value = field.default;
  if (value === undefined) return "";
  const ofFields = Object.entries(field.properties ?? {}).flatMap(([name, { default: given }]) =>
    given === undefined ? [] : [[name, given]],
  );
  const text = JSON.stringify(value);
  const isSum =
    field.properties !== undefined && text === JSON.stringify(Object.fromEntries(ofFields));
  return isSum ? "its fields' defaults" : `\`${text}\``;
}

const bounds: readonly [string, (value: unknown) => string][] = [
  ["minimum", (n) => `at least ${n}`],
  ["maximum", (n) => `at most ${n}`],
  ["minLength", (n) => `at least ${n} characters`],
  ["maxLength", (n) => `at most ${n} characters`],
  ["minItems", (n) => `at least ${n} entries`],
  ["maxItems", (n) => `at most ${n} entries`],
  ["maxProperties", (n) => `at most ${n} entries`],
  ["pattern", (text) => `matches \`${text}\``],
];

function constraintsOf(field: StructuralSchema): string {
  const words = wordsOf(field);
  const keys = field["x-kubernetes-list-map-keys"];
  // Those of an object stand below its own table.
  const rules = field.properties === undefined ? (field["x-kubernetes-validations"] ?? []) : [];
  const parts = [
    ...(words === "" ? [] : [`one of ${words}`]),
    ...bounds.flatMap(([name, text]) => (field[name] === undefined ? [] : [text(field[name])])),
    ...(keys === undefined ? [] : [`each ${keys.join(" and ")} once`]),
    ...rules.map(({ message }) => message),
  ];
  return parts.join("; ");
}

/** What a field may be, if that is one of a few words. */
function wordsOf(field: StructuralSchema): string {
  return (field.enum ?? []).map((value) => `\`${value}\``).join(", ");
}

function rulesOf(schema: StructuralSchema): string[] {
  const rules = schema["x-kubernetes-validations"] ?? [];
  if (rules.length === 0) return [];
  return ["", "Rules, in the words of the API server:", "", ...rules.map((r) => `- ${r.message}`)];
}

function escaped(cell: string): string {
  return cell.replaceAll("|", "\\|").replaceAll("\n", " ");
}
