/** The command lines of the control plane: functions of the layout alone. */
import path from "node:path";
import { clusterDomain, type Layout, serviceNetwork } from "./layout.ts";
import { timingsOf } from "./timings.ts";

export const controlPlanePrograms = [
  "etcd",
  "kube-apiserver",
  "kube-controller-manager",
  "kube-scheduler",
] as const;

export type ControlPlaneProgram = (typeof controlPlanePrograms)[number];

/** A control plane of one cluster asks more often than the defaults, made for a thousand, let it. */
const unhurried = ["--kube-api-qps=500", "--kube-api-burst=1000", "--leader-elect=false"];

export function argumentsOf(program: ControlPlaneProgram, layout: Layout): string[] {
  switch (program) {
    case "etcd":
      return etcd(layout);
    case "kube-apiserver":
      return apiServer(layout);
    case "kube-controller-manager":
      return controllerManager(layout);
    case "kube-scheduler":
      return scheduler(layout);
  }
}

/** It asks even this machine's users for a certificate: whoever writes to it passes the API server by. */
function etcd({ etcdData, etcdUrl, etcdPeerUrl, pki, spec }: Layout): string[] {
  const files = (prefix: string) => [
    `--${prefix}cert-file=${path.join(pki, "etcd.crt")}`,
    `--${prefix}key-file=${path.join(pki, "etcd.key")}`,
    `--${prefix}trusted-ca-file=${path.join(pki, "etcd-ca.crt")}`,
    `--${prefix}client-cert-auth=true`,
  ];
  return [
    `--name=${spec.name}`,
    `--data-dir=${etcdData}`,
    // A computer that loses power loses its test cluster anyway; a killed etcd loses nothing.
    "--unsafe-no-fsync",
    "--log-level=warn",
    "--log-outputs=stderr",
    `--listen-client-urls=${etcdUrl}`,
    `--advertise-client-urls=${etcdUrl}`,
    `--listen-peer-urls=${etcdPeerUrl}`,
    `--initial-advertise-peer-urls=${etcdPeerUrl}`,
    `--initial-cluster=${spec.name}=${etcdPeerUrl}`,
    ...files(""),
    ...files("peer-"),
  ];
}

function apiServer(layout: Layout): string[] {
  const pki = (file: string) => path.join(layout.pki, file);
  const { tolerationSeconds } = timingsOf[layout.spec.profile];
  return [
    "--v=1",
    `--etcd-servers=${layout.etcdUrl}`,
    `--etcd-cafile=${pki("etcd-ca.crt")}`,
    `--etcd-certfile=${pki("apiserver-etcd.crt")}`,
    `--etcd-keyfile=${pki("apiserver-etcd.key")}`,
    `--bind-address=${layout.apiAddress}`,
    `--secure-port=${layout.apiPort}`,
    // An address of loopback cannot be an endpoint of the Service "kubernetes"; without nodes nobody asks it.
    ...(layout.spec.level === "nodes"
      ? [`--advertise-address=${layout.apiAddress}`]
      : ["--endpoint-reconciler-type=none"]),
    "--allow-privileged=true",
    `--service-cluster-ip-range=${serviceNetwork}`,
    "--authorization-mode=Node,RBAC",
    "--enable-admission-plugins=NodeRestriction",
    `--default-not-ready-toleration-seconds=${tolerationSeconds}`,
    `--default-unreachable-toleration-seconds=${tolerationSeconds}`,
    `--client-ca-file=${pki("ca.crt")}`,
    `--tls-cert-file=${pki("apiserver.crt")}`,
    `--tls-private-key-file=${pki("apiserver.key")}`,
    `--service-account-issuer=https://kubernetes.default.svc.${clusterDomain}`,
    `--service-account-key-file=${pki("sa.pub")}`,
    `--service-account-signing-key-file=${pki("sa.key")}`,
    `--kubelet-certificate-authority=${pki("ca.crt")}`,
    `--kubelet-client-certificate=${pki("apiserver-kubelet.crt")}`,
    `--kubelet-client-key=${pki("apiserver-kubelet.key")}`,
    "--kubelet-preferred-address-types=InternalIP",
    `--requestheader-client-ca-file=${pki("ca.crt")}`,
    "--requestheader-allowed-names=front-proxy-client",
    "--requestheader-extra-headers-prefix=X-Remote-Extra-",
    "--requestheader-group-headers=X-Remote-Group",
    "--requestheader-username-headers=X-Remote-User",
    `--proxy-client-cert-file=${pki("front-proxy.crt")}`,
    `--proxy-client-key-file=${pki("front-proxy.key")}`,
    // Webhooks in pods are called by the pods' addresses, which are routed: the machine that the API
    // server runs on has no kube-proxy.
    "--enable-aggregator-routing=true",
  ];
}

function controllerManager(layout: Layout): string[] {
  const timings = timingsOf[layout.spec.profile];
  return [
    ...component(layout, "kube-controller-manager", layout.controllerManagerPort),
    "--use-service-account-credentials=true",
    `--root-ca-file=${path.join(layout.pki, "ca.crt")}`,
    `--service-account-private-key-file=${path.join(layout.pki, "sa.key")}`,
    `--cluster-signing-cert-file=${path.join(layout.pki, "ca.crt")}`,
    `--cluster-signing-key-file=${path.join(layout.pki, "ca.key")}`,
    "--allocate-node-cidrs=false",
    `--cluster-cidr=${layout.network}`,
    `--node-monitor-period=${timings.nodeMonitorPeriod}`,
    `--node-monitor-grace-period=${timings.nodeMonitorGracePeriod}`,
    `--node-eviction-rate=${timings.nodeEvictionRate}`,
    `--secondary-node-eviction-rate=${timings.secondaryNodeEvictionRate}`,
    `--large-cluster-size-threshold=${timings.largeClusterSize}`,
  ];
}

function scheduler(layout: Layout): string[] {
  return component(layout, "kube-scheduler", layout.schedulerPort);
}

/** What the two clients of the API server have in common. */
function component(layout: Layout, name: ControlPlaneProgram, port: number): string[] {
  const kubeconfig = kubeconfigOf(layout, name);
  return [
    "--v=1",
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    `--bind-address=${new URL(layout.etcdUrl).hostname}`,
    `--secure-port=${port}`,
    ...unhurried,
  ];
}

export function kubeconfigOf(layout: Layout, user: string): string {
  return path.join(layout.pki, `${user}.kubeconfig`);
}
