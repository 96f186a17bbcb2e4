/** The CRD and its pages: made from the types, and as they say. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "@jest/globals";
import { readTags } from "../scripts/crd/comment-tags.ts";
import { customResourceDefinition } from "../scripts/crd/definition.ts";
import { apiReference } from "../scripts/crd/reference.ts";
import { type JsonSchema, structuralSchema } from "../scripts/crd/structural-schema.ts";
import { reasons } from "../src/operator/api/reasons.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const page = (file: string) => readFileSync(`${root}${file}`, "utf8");

test("the CRD and its reference are what the types say; if not, a sentence says which command makes them", () => {
  const command = ["--no-warnings", "scripts/crd/main.ts", "--check"];
  const { stdout, stderr, status } = spawnSync(process.execPath, command, {
    cwd: root,
    encoding: "utf8",
  });
  expect({ stdout, stderr, status }).toEqual({ stdout: "", stderr: "", status: 0 });
});

test("every field has a description", () => {
  const rows = page("docs/api-reference.md").match(/^\| `.*$/gm) ?? [];
  expect(rows.length).toBeGreaterThan(60);
  expect(rows.filter((row) => /\| *\|$/.test(row))).toEqual([]);
});

test("a rule and its message are a pair, over several lines too", () => {
  const comment =
    "Words.\n@rule self > 1 &&\n  self < 5\n@message be\n  small\n@rule a\n@message b";
  expect(readTags(comment).rules).toEqual([
    { rule: "self > 1 && self < 5", message: "be small" },
    { rule: "a", message: "b" },
  ]);
});

test.each([
  ["@rule self > 1", 'each @rule needs one @message after it; see "@rule self > 1"'],
  ["@message first\n@rule second", 'each @rule needs one @message after it; see "@message first"'],
  ["@rule a\n@rule b", "each @rule needs one @message after it"],
  ["@minumum 5", "the comment has the unknown tag @minumum"],
])("a comment with %j is refused", (comment, sentence) => {
  expect(() => readTags(comment)).toThrow(sentence);
});

const text: JsonSchema = { type: "string" };
const number: JsonSchema = { type: "integer" };
const isSpec = { definitions: {}, isStatus: false };

test("what has a default is not required, and an object's default has those of its fields", () => {
  const inner = { type: "object", properties: { a: { ...text, default: "x" }, b: number } };
  const schema = structuralSchema(
    {
      type: "object",
      properties: { inner: { ...inner, default: { b: 1 } }, needed: text },
      required: ["inner", "needed"],
    },
    isSpec,
  );
  expect(schema.required).toEqual(["needed"]);
  expect(schema.properties?.["inner"]?.default).toEqual({ a: "x", b: 1 });
});

test("a type that is referred to brings its rules, and the property adds its own", () => {
  const type = { ...number, description: "A size.", fullDescription: "@rule a\n@message A" };
  const property = { $ref: "#/definitions/Size", fullDescription: "Ours.\n@rule b\n@message B" };
  const definitions = { Size: type };
  const schema = structuralSchema(property, { definitions, isStatus: false });
  expect(schema).toEqual({
    description: "A size.",
    type: "integer",
    "x-kubernetes-validations": [
      { rule: "a", message: "A" },
      { rule: "b", message: "B" },
    ],
  });
  const described = structuralSchema(
    { ...property, description: "Ours.", default: 5 },
    { definitions, isStatus: true },
  );
  expect(described).toEqual({ description: "Ours.", type: "integer" });
});

test("tags of maps and lists become extensions of Kubernetes", () => {
  const map = (tag: string) =>
    structuralSchema({ type: "object", additionalProperties: text, fullDescription: tag }, isSpec);
  expect(map("@preserveUnknownFields")).toEqual({
    type: "object",
    "x-kubernetes-preserve-unknown-fields": true,
  });
  expect(map("@intOrString").additionalProperties).toMatchObject({
    anyOf: [{ type: "integer" }, { type: "string" }],
    "x-kubernetes-int-or-string": true,
  });
  const list = { type: "array", items: text, fullDescription: "@listType map\n@listMapKeys a, b" };
  expect(structuralSchema(list, isSpec)).toMatchObject({
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["a", "b"],
  });
});

test.each<[string, JsonSchema, string]>([
  ["a union of types", { anyOf: [text, number] }, "one type for each field"],
  ["a map of anything", { type: "object", additionalProperties: {} }, "@preserveUnknownFields"],
  ["a type that is not there", { $ref: "#/definitions/Gone" }, "the types have no Gone"],
])("%s is refused", (_, schema, sentence) => {
  expect(() => structuralSchema(schema, isSpec)).toThrow(sentence);
});

test("the reference has a table for each object, with defaults, bounds and rules", () => {
  const list = { type: "array", items: { $ref: "#/definitions/Port" }, maxItems: 3 };
  const definition = customResourceDefinition({
    type: "object",
    description: "A machine.",
    definitions: {
      Port: {
        type: "object",
        properties: { number: { ...number, description: "Its number.", minimum: 1 } },
        required: ["number"],
        fullDescription: "@rule true\n@message never said",
      },
    },
    properties: {
      spec: { type: "object", properties: { ports: { ...list, description: "Open | shut." } } },
      status: { type: "object", properties: { word: { ...text, enum: ["On", "Off"] } } },
    },
  });
  const reference = apiReference(definition);
  for (const part of [
    "| `ports` | [list of objects](#specports) |  | at most 3 entries | Open \\| shut. |",
    "### spec.ports[]",
    "| `number` | integer | required | at least 1 | Its number. |",
    "- never said",
    "| `word` | string | One of `On`, `Off`. |",
  ]) {
    expect(reference).toContain(part);
  }
});

test("every reason is explained in the troubleshooting page, in its own words", () => {
  const troubleshooting = page("docs/troubleshooting.md");
  const headings = [...troubleshooting.matchAll(/^### (\w+)\n\n(.+)$/gm)];
  const rows = [...troubleshooting.matchAll(/^\| `(\w+)` \| (.+) \|$/gm)];
  const explained = [...headings, ...rows].map(([, reason, sentence]) => [reason, sentence]);
  const byName = ([a]: (string | undefined)[], [b]: (string | undefined)[]) =>
    String(a).localeCompare(String(b));
  expect(explained.sort(byName)).toEqual(Object.entries(reasons).sort(byName));
});
