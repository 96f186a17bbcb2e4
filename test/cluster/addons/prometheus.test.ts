/** What a test's Prometheus is told to scrape, and where the program comes from. */
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { expect, test } from "@jest/globals";
import { findPrometheus } from "./prometheus.ts";
import { prometheusConfiguration } from "./prometheus-configuration.ts";

const pki = { ca: "/pki/ca.crt", certificate: "/pki/admin.crt", key: "/pki/admin.key" };
const tls = { ca_file: "/pki/ca.crt", cert_file: "/pki/admin.crt", key_file: "/pki/admin.key" };

test("API server and kubelets are scraped with the certificate, other targets without it", () => {
  const others = [
    { name: "gateway", targets: ["10.1.1.2:9000"], path: "/status/metrics", labels: { vm: "a" } },
  ];
  const kubelets = { node1: "10.1.0.11:10250", node2: "10.1.0.12:10250" };
  const targets = { apiServer: "10.1.0.1:6443", kubelets, pki, others, intervalMs: 500 };
  const { global, scrape_configs: jobs } = JSON.parse(prometheusConfiguration(targets));
  expect(global).toEqual({ scrape_interval: "500ms", scrape_timeout: "500ms" });
  const nodes = [
    { targets: ["10.1.0.11:10250"], labels: { node: "node1" } },
    { targets: ["10.1.0.12:10250"], labels: { node: "node2" } },
  ];
  const secure = { scheme: "https", tls_config: tls };
  expect(jobs).toEqual([
    { job_name: "apiserver", ...secure, static_configs: [{ targets: ["10.1.0.1:6443"] }] },
    { job_name: "kubelet", ...secure, static_configs: nodes },
    { job_name: "cadvisor", ...secure, metrics_path: "/metrics/cadvisor", static_configs: nodes },
    {
      job_name: "gateway",
      scheme: "http",
      metrics_path: "/status/metrics",
      static_configs: [{ targets: ["10.1.1.2:9000"], labels: { vm: "a" } }],
    },
  ]);
});

test("the program is the first on the PATH that can be run; none says how to install it", async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), "path-"));
  const file = path.join(folder, "prometheus");
  try {
    await writeFile(file, "");
    await chmod(file, 0o644);
    expect(() => findPrometheus(`/nowhere::${folder}`)).toThrow(/apt-get install prometheus$/);
    await chmod(file, 0o755);
    expect(findPrometheus(`/nowhere::${folder}`)).toBe(file);
  } finally {
    await rm(folder, { recursive: true });
  }
});
