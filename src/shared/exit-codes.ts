/** The exit codes of the lockstep command: part of its interface, so a number keeps its meaning. */
export const exitCodes = {
  ok: 0,
  /** An unexpected failure, such as a broken invariant. */
  failure: 1,
  /** The command line, a configuration value or a file it names cannot be used. */
  usage: 2,
  /** The backup's state differs from the primary's. */
  divergence: 3,
  /** Both runners are gone. */
  vmLost: 4,
  /** Another process listens on the address. */
  addressInUse: 5,
  /** The record names other runners: this one stopped for good. */
  superseded: 6,
  /** A log that cannot be read: damaged, of another format, or of another machine. */
  unreadableLog: 7,
  /** There is no such pair, or it has no such half now. */
  notRunning: 8,
  /** A runner asked for a record that was never made. */
  noRecord: 9,
  /** The guest, or a device of it, stopped the machine: the same entry stops every runner. */
  trapped: 10,
  /** The peer is of another VM or another version, or it or the arbiter has another key. */
  refused: 11,
  /** A log whose end is missing; everything in it was replayed and is equal. */
  truncatedLog: 12,
  /** gvproxy, which a guest's network needs, is not there and cannot be built, or does not work. */
  noGvproxy: 13,
  /** An operator does not lead any more, because it could not renew its Lease: it is to be started again. */
  leaseLost: 14,
  /**
   * A runner that was told to leave had nobody to hand over to, and switched the VM off: nobody wished it
   * off, so it may be booted anew elsewhere.
   */
  leftAlone: 15,
} as const;
