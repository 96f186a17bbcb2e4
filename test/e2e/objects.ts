/** Kubernetes objects of the tests, with what never differs filled in: images come from files. */

const clientImage = "localhost/client:1";

/** A container that runs a shell script. */
export function shell(script: string, rest: object = {}): object {
  return {
    name: "main",
    image: clientImage,
    imagePullPolicy: "Never",
    command: ["sh", "-c", script],
    ...rest,
  };
}

interface PodOptions {
  readonly labels?: Readonly<Record<string, string>>;
  readonly namespace?: string;
  /** Of the pod's spec. */
  readonly spec?: object;
  /** Of its container. */
  readonly container?: object;
}

/** A pod that runs `script` once. */
export function pod(name: string, script: string, options: PodOptions = {}): object {
  const { labels = {}, namespace = "default", spec = {}, container = {} } = options;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace, labels },
    spec: {
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      containers: [shell(script, container)],
      ...spec,
    },
  };
}

/** Says on every node where it runs, over HTTP on port 8080; never two of them on one node. */
export function webServers(name: string, replicas: number): object[] {
  const script = `mkdir -p /tmp/www && echo "hello from $NODE" >/tmp/www/index.html && echo hello && exec httpd -f -p 8080 -h /tmp/www`;
  const labels = { app: name };
  const probe = { httpGet: { path: "/index.html", port: 8080 }, periodSeconds: 1 };
  const container = shell(script, {
    env: [{ name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
    ports: [{ name: "http", containerPort: 8080 }],
    livenessProbe: { ...probe, failureThreshold: 2 },
    readinessProbe: probe,
  });
  const apart = {
    labelSelector: { matchLabels: labels },
    topologyKey: "kubernetes.io/hostname",
  };
  const template = {
    terminationGracePeriodSeconds: 1,
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [apart] } },
    containers: [container],
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { type: "NodePort", selector: labels, ports: [{ port: 80, targetPort: "http" }] },
  };
  return [deployment(name, replicas, template), service];
}

/** `spec` is that of its pods, which have the label `app`. */
export function deployment(name: string, replicas: number, spec: object): object {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec },
    },
  };
}

export function claim(name: string, storageClassName: string, mode: string): object {
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name },
    spec: {
      storageClassName,
      accessModes: [mode],
      resources: { requests: { storage: "64Mi" } },
    },
  };
}

/** A pod with the claim's volume at /data. */
export function podWithVolume(name: string, claimName: string, script: string, spec = {}): object {
  return pod(name, script, {
    container: { volumeMounts: [{ name: "data", mountPath: "/data" }] },
    spec: { volumes: [{ name: "data", persistentVolumeClaim: { claimName } }], ...spec },
  });
}
