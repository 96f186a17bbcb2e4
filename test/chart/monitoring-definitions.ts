/**
 * Stand-ins for the definitions of the Prometheus operator: just as strict in the fields that the chart
 * sets, and empty of all others.
 */

type Fields = Readonly<Record<string, object>>;

const text = { type: "string" };
const texts = { type: "array", items: text };
const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

function object(properties: Fields, ...required: readonly string[]): object {
  return { type: "object", properties, ...(required.length > 0 ? { required } : {}) };
}

function list(items: object): object {
  return { type: "array", items };
}

const selector = object({
  matchLabels: { type: "object", additionalProperties: text },
  matchExpressions: list(object({ key: text, operator: text, values: texts }, "key", "operator")),
});
const duration = { type: "string", pattern: "^(0|(([0-9]+)(ms|s|m|h|d|w|y))+)$" };
const relabeling = object({ sourceLabels: texts, targetLabel: text, replacement: text });
const endpoints = list(
  object({
    ...{ port: text, path: text, interval: duration },
    ...{ honorLabels: { type: "boolean" }, relabelings: list(relabeling) },
  }),
);
const rule = object(
  {
    ...{ alert: text, record: text, labels: open, annotations: open, for: duration },
    expr: { "x-kubernetes-int-or-string": true },
  },
  "expr",
);
const group = object({ name: text, interval: duration, rules: list(rule) }, "name");

const specs: Readonly<Record<string, object>> = {
  PodMonitor: object(
    {
      namespaceSelector: object({ any: { type: "boolean" }, matchNames: texts }),
      selector,
      podMetricsEndpoints: endpoints,
    },
    "selector",
  ),
  ServiceMonitor: object({ selector, endpoints }, "selector", "endpoints"),
  PrometheusRule: object({ groups: list(group) }),
};

export const monitoringDefinitions = Object.entries(specs).map(([kind, spec]) => {
  const plural = `${kind.toLowerCase()}s`;
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: {
      group: "monitoring.coreos.com",
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
        },
      ],
    },
  };
});
