/** Specs of the tests' machines. */

/**
 * A computer that is busy with three nodes may well be silent for the half second that is usual. These
 * tests are about what happens when a half is lost, not about how soon that is noticed.
 */
const faultTolerance = { heartbeatMilliseconds: 100, timeoutMilliseconds: 3_000 };

/** The default guest's counter: every client gets numbers from 1 on, a line every 10 ms. */
export const counterSpec = {
  faultTolerance,
  network: {
    serviceType: "NodePort",
    ports: [{ name: "counter", port: 7000, guestPort: 7000 }],
    readiness: { tcpPort: 7000 },
  },
};

/** A guest without operating system and network: it is there in a second. */
export const tinySpec = {
  faultTolerance,
  memory: "16Mi",
  boot: { guest: "tiny" },
  network: { enabled: false },
};
