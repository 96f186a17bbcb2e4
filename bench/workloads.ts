/** What the guest computes in a benchmark: commands for its shell, each about two seconds long. */

export interface Workload {
  readonly name: string;
  readonly command: string;
}

/** Makes the files that the workloads read, in the guest's memory; the same on every side. */
export const prepareCommand =
  "seq 1 200000 >/tmp/numbers; cat /tmp/numbers /tmp/numbers /tmp/numbers /tmp/numbers >/tmp/more";

/** `share` of the usual work; 1 is about two seconds. */
export function workloads(share: number): readonly Workload[] {
  const times = (count: number) => Math.max(1, Math.round(count * share));
  const loop = (count: number, body: string) =>
    `i=0; while [ $i -lt ${times(count)} ]; do ${body}; i=$((i+1)); done`;
  return [
    { name: "shell", command: loop(70_000, ":") },
    { name: "hash", command: loop(8, "sha256sum /tmp/more >/dev/null") },
    { name: "compress", command: loop(2, "gzip -c /tmp/numbers >/dev/null") },
    {
      name: "interpreter",
      command: `awk 'BEGIN { for (i = 0; i < ${times(400_000)}; i++) s += i % 7; print s }'`,
    },
    { name: "processes", command: loop(300, "/bin/busybox true") },
  ];
}
