/**
 * What the pods of both components have in common: no privileges, and what they find in their file
 * system. Pods meet the Pod Security Standard "restricted" to the letter.
 */
import { type Component, objectNames, ports } from "../api/names.ts";
import type { FTVirtualMachine } from "../api/v1alpha1.ts";
import type { OperatorSettings } from "../reconcile/observation.ts";

/** The image's user. It has no entry in the host's list of users, and owns nothing. */
const user = 65_532;

const keyDirectory = "/etc/lockstep";
const tokenDirectory = "/var/run/secrets/kubernetes.io/serviceaccount";
export const keyFile = `${keyDirectory}/key`;

/** A token for the API server lives this long; the kubelet renews it when 80 % are over. */
const tokenSeconds = 3_600;

export function podSpecOf(vm: FTVirtualMachine, component: Component, settings: OperatorSettings) {
  return {
    serviceAccountName: objectNames(vm.metadata.name)[component],
    // Instead of it there is a volume with a token that is bound to this pod.
    automountServiceAccountToken: false,
    // Variables for every Service of the namespace; the API server's address is there all the same.
    enableServiceLinks: false,
    imagePullSecrets: settings.imagePullSecrets.map((name) => ({ name })),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: user,
      runAsGroup: user,
      fsGroup: user,
      // A large volume with a user's kernel is not walked through when its root is right.
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

export function containerOf(image: string, settings: OperatorSettings) {
  return {
    image,
    imagePullPolicy: settings.imagePullPolicy,
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    // What a process said last is why it ended: the operator shows it.
    terminationMessagePolicy: "FallbackToLogsOnError",
  };
}

/** `temporary`: how much may be in /tmp; a pod that writes more is evicted. */
export function volumesOf(vm: FTVirtualMachine, temporary: string): readonly object[] {
  return [
    {
      name: "key",
      // The group of the pod can read it as well (0440), because it is how the user gets at it.
      secret: {
        secretName: objectNames(vm.metadata.name).key,
        defaultMode: 0o400,
        items: [{ key: "key", path: "key" }],
      },
    },
    { name: "tmp", emptyDir: { sizeLimit: temporary } },
    { name: "token", projected: { sources: tokenSources } },
  ];
}

/** What Kubernetes itself would mount, and where. */
const tokenSources = [
  { serviceAccountToken: { path: "token", expirationSeconds: tokenSeconds } },
  { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
  {
    downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] },
  },
] as const;

export const mounts = [
  { name: "key", mountPath: keyDirectory, readOnly: true },
  { name: "tmp", mountPath: "/tmp" },
  { name: "token", mountPath: tokenDirectory, readOnly: true },
] as const;

export interface ProbeTimes {
  readonly periodSeconds: number;
  readonly timeoutSeconds: number;
  readonly failureThreshold: number;
  /** Of the process that the probe ends. */
  readonly terminationGracePeriodSeconds?: number;
}

export function probe(path: "/healthz" | "/readyz", times: ProbeTimes): object {
  return { httpGet: { path, port: ports.http }, ...times };
}

/**
 * Text of a user's in an argument: Kubernetes would replace `$(NAME)` by a variable, and takes `$$` for
 * one `$`.
 */
export function literal(text: string): string {
  return text.replaceAll("$", "$$$$");
}
