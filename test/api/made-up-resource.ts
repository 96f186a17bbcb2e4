/** A resource that nobody has, with everything in its schema that the operator's own will need. */

const group = "lockstep.example.com";
const plural = "ftvirtualmachines";
export const machines = `/apis/${group}/v1/namespaces/default/${plural}`;
export const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const spec = {
  type: "object",
  required: ["image"],
  properties: {
    image: {
      type: "string",
      minLength: 1,
      "x-kubernetes-validations": [{ rule: "self == oldSelf", message: "the image is immutable" }],
    },
    memoryMiB: { type: "integer", minimum: 16, maximum: 2048, default: 128 },
    diskMiB: { type: "integer" },
    failover: { type: "string", enum: ["Automatic", "Manual"], default: "Automatic" },
    ports: {
      type: "array",
      maxItems: 16,
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: {
        type: "object",
        required: ["name", "port"],
        properties: { name: { type: "string" }, port: { type: "integer" } },
      },
    },
  },
  "x-kubernetes-validations": [
    {
      rule: "!has(self.diskMiB) || self.diskMiB >= self.memoryMiB",
      message: "a disk must be able to hold the memory",
      fieldPath: ".diskMiB",
    },
  ],
};

const status = {
  type: "object",
  properties: {
    phase: { type: "string" },
    epoch: {
      type: "integer",
      "x-kubernetes-validations": [
        { rule: "self >= oldSelf", message: "an epoch never goes back" },
      ],
    },
  },
};

const column = (name: string, jsonPath: string, type = "string") => ({ name, type, jsonPath });

export const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${plural}.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: { plural, singular: "ftvirtualmachine", kind: "FTVirtualMachine", shortNames: ["ftvm"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        additionalPrinterColumns: [
          column("Phase", ".status.phase"),
          column("Epoch", ".status.epoch", "integer"),
          column("Memory", ".spec.memoryMiB", "integer"),
        ],
        schema: { openAPIV3Schema: { type: "object", properties: { spec, status } } },
      },
    ],
  },
};

export function machine(name: string, fields: object = {}, metadata: object = {}) {
  return {
    apiVersion: `${group}/v1`,
    kind: "FTVirtualMachine",
    metadata: { name, ...metadata },
    spec: { image: "counter", ...fields },
  };
}
