/** The tags of a doc comment that JSON schema does not know, and what they say in a CRD. */

/** A CEL rule, and the sentence that whoever breaks it reads. */
export interface ValidationRule {
  readonly rule: string;
  readonly message: string;
}

export interface CommentTags {
  readonly rules: readonly ValidationRule[];
  readonly listType?: string;
  readonly listMapKeys?: readonly string[];
  readonly mapType?: string;
  readonly preserveUnknownFields?: true;
  /** The values of the map are quantities: numbers or strings. */
  readonly intOrString?: true;
}

/** Tags that the schema generator reads itself; any other is a slip of the pen. */
const tagsOfJsonSchema = [
  ...["asType", "default", "format", "pattern", "minimum", "maximum", "minLength", "maxLength"],
  ...["minItems", "maxItems", "minProperties", "maxProperties"],
];

/**
 * Reads the tags of a comment, given without its stars. A tag goes on until the next one.
 * Throws when a tag is unknown, or when a rule and its message are not together.
 */
export function readTags(comment: string): CommentTags {
  const tags = splitTags(comment);
  const last = (name: string) => tags.findLast((tag) => tag.name === name)?.text;
  const given = <T>(key: string, value: T | undefined) =>
    value === undefined ? {} : { [key]: value };
  return {
    rules: pairRules(tags),
    ...given("listType", last("listType")),
    ...given("listMapKeys", last("listMapKeys")?.split(/[\s,]+/)),
    ...given("mapType", last("mapType")),
    ...given("preserveUnknownFields", last("preserveUnknownFields") === "" ? true : undefined),
    ...given("intOrString", last("intOrString") === "" ? true : undefined),
  };
}

interface Tag {
  readonly name: string;
  readonly text: string;
}

const tagsOfCrd = [
  ...["rule", "message", "listType", "listMapKeys", "mapType"],
  ...["preserveUnknownFields", "intOrString"],
];

function splitTags(comment: string): Tag[] {
  const parts = comment.split(/^@/m).slice(1);
  return parts.map((part) => {
    const [name = "", ...words] = part.trim().split(/\s+/);
    if (![...tagsOfJsonSchema, ...tagsOfCrd].includes(name)) {
      throw new Error(`the comment has the unknown tag @${name}; correct or remove it: ${comment}`);
    }
    return { name, text: words.join(" ") };
  });
}

/** Each `@rule` is followed by its `@message`. */
function pairRules(tags: readonly Tag[]): ValidationRule[] {
  const both = tags.filter(({ name }) => name === "rule" || name === "message");
  return both.flatMap(({ name, text }, i) => {
    const isRule = i % 2 === 0;
    if ((name === "rule") !== isRule || (isRule && both[i + 1] === undefined)) {
      throw new Error(`each @rule needs one @message after it; see "@${name} ${text}"`);
    }
    return isRule ? [{ rule: text, message: both[i + 1]?.text ?? "" }] : [];
  });
}
