/** The values of the chart: each explained, each checked, and each refused with a sentence. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { loadYaml } from "@kubernetes/client-node";
import {
  chart,
  describeWithHelm,
  expectFile,
  helm,
  release,
  root,
  setting,
  someImage,
  template,
  unlessNoHelm,
  type Values,
} from "./chart.ts";
import { describedValues, valuesTable } from "./values-table.ts";

const read = (...file: string[]) => readFile(path.join(root, ...file), "utf8");
const valuesFile = await read("charts/lockstep/values.yaml");
const schema = JSON.parse(await read("charts/lockstep/values.schema.json"));

test("every value is explained, by a sentence that ends", () => {
  const described = describedValues(valuesFile);
  expect(described.length).toBeGreaterThan(40);
  const unexplained = described.filter(
    ({ description }) => !/^([A-Z]|true: |false: ).*\.$/.test(description),
  );
  expect(unexplained.map(({ name }) => name)).toEqual([]);
});

test("the page about installing has the table of the values", async () => {
  const file = "docs/install.md";
  const [begin, end] = ["<!-- values: made of values.yaml -->\n", "<!-- end of values -->\n"];
  const [before, rest] = (await read(file)).split(begin);
  const after = rest?.split(end)[1];
  if (before === undefined || after === undefined) throw new Error(`${file} has no place for it`);
  const table = valuesTable(describedValues(valuesFile));
  await expectFile(file, before + begin + table + end + after);
});

test("the schema knows every value, and nothing else", () => {
  const values: object = loadYaml(valuesFile);
  expect(unlike(values, schema, "")).toEqual([]);
});

test("the chart, the product and the image's tag have one version", async () => {
  const { version } = JSON.parse(await read("package.json"));
  expect(loadYaml(await read("charts/lockstep/Chart.yaml"))).toMatchObject({
    version,
    appVersion: version,
  });
});

describeWithHelm(`the chart${unlessNoHelm}`, () => {
  const refusal = async (values: Values) => {
    const command = ["template", release, chart, ...setting(values)];
    const { code, stderr } = await helm().attempt(command);
    expect(code).not.toBe(0);
    return stderr;
  };

  test.each<[string, Values, string]>([
    [
      "an unknown value",
      { "image.repo": "x" },
      "at '/image': additional properties 'repo' not all",
    ],
    ["an unknown group", { operater: {} }, "additional properties 'operater' not allowed"],
    ["a word for a number", { replicas: "two" }, "at '/replicas': got string, want integer"],
    ["too few", { replicas: -1 }, "at '/replicas': minimum: got -1, want 0"],
    ["no URL of an image", { "image.repository": "https://r.example.com/a" }, "at '/image/repos"],
    [
      "half a digest",
      { "image.digest": "sha256:abc" },
      "at '/image/digest': 'sha256:abc' does not",
    ],
    [
      "another policy",
      { "image.pullPolicy": "Sometimes" },
      "at '/image/pullPolicy': value must be one of 'Always', 'IfNotPresent', 'Never'",
    ],
    [
      "a text for a list",
      { watchNamespaces: "blue" },
      "at '/watchNamespaces': got string, want ar",
    ],
    ["no namespace's name", { watchNamespaces: ["Blue"] }, "at '/watchNamespaces/0': 'Blue' does"],
    ["no port at all", { apiServerPorts: [] }, "at '/apiServerPorts': minItems: got 0, want 1"],
    ["a number for a text", { "nodeSelector.a": 1 }, "at '/nodeSelector/a': got number, want str"],
    ["everybody by mistake", { "networkPolicy.metricsFrom": [{}] }, "minProperties: got 0, want 1"],
    [
      "no time",
      { "monitoring.podMonitor.interval": "often" },
      "/interval': 'often' does not match",
    ],
    ["no quantity", { "resources.limits.memory": "much" }, "at '/resources/limits/memory'"],
  ])("refuses %s", async (_, values, sentence) => {
    expect(await refusal({ ...someImage, ...values })).toContain(sentence);
  });

  test.each<[string, Values, string]>([
    ["no tag", {}, "0.1.0"],
    ["an empty tag", { "image.tag": "" }, "0.1.0"],
    ["a tag", { "image.tag": "v1.10" }, "v1.10"],
    ["a tag of a few digits", { "image.tag": 0 }, "0"],
    ["a tag of many digits", { "image.tag": 20_261_123_231_500 }, "20261123231500"],
  ])("takes %s to the letter", async (_, values, tag) => {
    const rendered = await template({ ...someImage, "crds.enabled": false, ...values });
    expect(rendered).toContain(`image: "registry.example.com/team/lockstep:${tag}"\n`);
  });

  test("takes a tag of digits as it is usually given", async () => {
    const set = ["--set", "crds.enabled=false,image.repository=r.example.com/a,image.tag=1"];
    expect(await helm().run(["template", release, chart, ...set])).toContain(
      'image: "r.example.com/a:1"\n',
    );
  });

  test("without an image says what to do", async () => {
    expect(await refusal({})).toContain(
      "image.repository is empty: Lockstep's image is one that you build and push (docs/install.md); give its " +
        "registry and name, such as --set image.repository=registry.example.com/team/lockstep",
    );
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly $ref?: string;
}

/** Where values and schema name different fields. */
function unlike(value: unknown, given: Schema, place: string): string[] {
  const definition: Schema =
    given.$ref === undefined ? given : schema.$defs[given.$ref.replace("#/$defs/", "")];
  const { properties, additionalProperties } = definition;
  if (properties === undefined || typeof value !== "object" || value === null) return [];
  const strict = additionalProperties === false ? [] : [`${place}: takes unknown fields`];
  const fields: Record<string, unknown> = { ...value };
  const known = Object.keys(properties).filter((name) => `${place}.${name}` !== ".global");
  // What of a pod is taken over as it is has no fields in values.yaml.
  const isGiven = Object.keys(fields).length > 0;
  const missing = known.filter((name) => isGiven && !(name in fields));
  const inside = Object.entries(fields).flatMap(([name, field]) => {
    const below = properties[name];
    if (below === undefined) return [`${place}.${name}: not in the schema`];
    return unlike(field, below, `${place}.${name}`);
  });
  return [...strict, ...missing.map((name) => `${place}.${name}: no value`), ...inside];
}
