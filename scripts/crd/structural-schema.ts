/**
 * From the JSON schema of TypeScript types to the structural OpenAPI schema of a CRD: references are
 * replaced by what they mean, a field with a default is not required, and tags of comments become
 * the extensions of Kubernetes.
 */
import { type CommentTags, readTags, type ValidationRule } from "./comment-tags.ts";

/** What the schema generator says of a type or a property. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly description?: string;
  /** The comment with its tags. */
  readonly fullDescription?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly [keyword: string]: unknown;
}

/** A schema as the API server wants it; the keys are in the order in which they are written. */
export interface StructuralSchema {
  readonly description?: string;
  readonly type?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly anyOf?: readonly StructuralSchema[];
  readonly "x-kubernetes-validations"?: readonly ValidationRule[];
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-map-type"?: string;
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-int-or-string"?: true;
  readonly [keyword: string]: unknown;
}

export interface Source {
  readonly definitions: Readonly<Record<string, JsonSchema>>;
  /** Rules and defaults are for what users write; a status is written by the operator alone. */
  readonly isStatus: boolean;
}

/** Keywords that mean the same on both sides. */
const sameKeywords = [
  ...["format", "pattern", "minimum", "maximum", "minLength", "maxLength"],
  ...["minItems", "maxItems", "minProperties", "maxProperties"],
];
/** A number or a string, as in a container's resources. */
const quantity = {
  anyOf: [{ type: "integer" }, { type: "string" }],
  maxLength: 32,
  "x-kubernetes-int-or-string": true,
  "x-kubernetes-validations": [
    {
      rule: "type(self) == int || isQuantity(self)",
      message: "a quantity is a number with or without a suffix, such as 2, 500m or 600Mi",
    },
  ],
} as const;

/** Throws when the types say something that a structural schema cannot. */
export function structuralSchema(given: JsonSchema, source: Source): StructuralSchema {
  const { schema, tags } = resolve(given, source);
  if (typeof schema.type !== "string") {
    throw new Error(`a CRD takes one type for each field; got ${JSON.stringify(given)}`);
  }
  const { isStatus } = source;
  const rules = isStatus ? [] : tags.rules;
  const ofObject = objectPart(schema, tags, source);
  const filledIn = withDefaultsOf(ofObject.properties ?? {}, schema.default);
  return {
    ...(schema.description === undefined ? {} : { description: schema.description }),
    type: schema.type,
    ...(schema.default === undefined || isStatus ? {} : { default: filledIn }),
    ...(schema.enum === undefined ? {} : { enum: schema.enum }),
    ...Object.fromEntries(sameKeywords.flatMap((k) => (k in schema ? [[k, schema[k]]] : []))),
    ...ofObject,
    ...(schema.items === undefined ? {} : { items: structuralSchema(schema.items, source) }),
    ...(tags.listType === undefined ? {} : { "x-kubernetes-list-type": tags.listType }),
    ...(tags.listMapKeys === undefined ? {} : { "x-kubernetes-list-map-keys": tags.listMapKeys }),
    ...(tags.mapType === undefined ? {} : { "x-kubernetes-map-type": tags.mapType }),
    ...(rules.length === 0 ? {} : { "x-kubernetes-validations": rules }),
  };
}

/** The type that is referred to, with what the property's own comment adds; both have their rules. */
function resolve(given: JsonSchema, { definitions }: Source) {
  const own = given.fullDescription ?? "";
  if (given.$ref === undefined) return { schema: given, tags: readTags(own) };
  const name = given.$ref.replace("#/definitions/", "");
  const type = definitions[decodeURIComponent(name)];
  if (type === undefined) throw new Error(`the types have no ${name}`);
  const schema: JsonSchema = { ...type, ...given };
  const ofType = readTags(type.fullDescription ?? "");
  const ofProperty = readTags(own);
  const rules = [...ofType.rules, ...ofProperty.rules];
  return { schema, tags: { ...ofType, ...ofProperty, rules } };
}

function objectPart(schema: JsonSchema, tags: CommentTags, source: Source): StructuralSchema {
  if (schema.type !== "object") return {};
  if (tags.preserveUnknownFields) return { "x-kubernetes-preserve-unknown-fields": true };
  if (schema.properties === undefined) return mapPart(schema, tags, source);
  const properties = Object.entries(schema.properties);
  const hasDefault = (name: string) => {
    const property = schema.properties?.[name];
    return property !== undefined && "default" in property;
  };
  const required = (schema.required ?? []).filter((name) => !hasDefault(name));
  return {
    ...(required.length === 0 ? {} : { required }),
    properties: Object.fromEntries(properties.map(([k, v]) => [k, structuralSchema(v, source)])),
  };
}

/**
 * An object's default with those of its fields. The API server would fill them in as well, but it
 * checks the rules of a default before that.
 */
function withDefaultsOf(fields: Readonly<Record<string, StructuralSchema>>, value: unknown) {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  const defaults = Object.entries(fields).flatMap(([name, field]) =>
    field.default === undefined ? [] : [[name, field.default]],
  );
  return { ...Object.fromEntries(defaults), ...value };
}

function mapPart(schema: JsonSchema, tags: CommentTags, source: Source): StructuralSchema {
  const values = schema.additionalProperties;
  if (typeof values !== "object" || values.type === undefined) {
    throw new Error(
      `a map needs a type of its values, or @preserveUnknownFields; got ${JSON.stringify(schema)}`,
    );
  }
  if (!tags.intOrString) return { additionalProperties: structuralSchema(values, source) };
  return { additionalProperties: quantity };
}
