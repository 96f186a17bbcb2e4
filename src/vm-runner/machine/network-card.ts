/**
 * A handle on the network card inside v86: its registers and queues are v86's, and saved by it; the
 * frames go through `devices/network`, which is told here when the driver notifies the card. v86's
 * own way of moving frames is shut off: it would believe whatever a driver writes into a queue.
 * All that is used is checked when an instance is made.
 */
import { assert } from "../../shared/assert.ts";
import { networkQueueSize } from "../../shared/limits.ts";
import type { Card } from "../devices/network/device.ts";
import { features as offloads } from "../devices/network/virtio-header.ts";
import type { GuestMemory, Virtqueue } from "../devices/network/virtqueue.ts";

export interface NetworkCard extends Card {
  setMac(mac: Uint8Array): void;
}

/** v86's objects, as far as they are used. Addresses are signed numbers of 32 bits. */
interface CardObject {
  mac: Uint8Array;
  readonly virtio: VirtioObject;
}

interface VirtioObject {
  readonly queues: readonly QueueObject[];
  readonly device_feature: Uint32Array;
  readonly driver_feature: Uint32Array;
  readonly device_status: number;
  raise_irq(reason: number): void;
}

interface QueueObject {
  readonly enabled: boolean;
  readonly size: number;
  size_supported: number;
  readonly desc_addr: number;
  readonly avail_addr: number;
  readonly used_addr: number;
  avail_last_idx: number;
  set_size(size: number): void;
  has_request(): boolean;
}

const queueNumbers = [
  "size",
  "size_supported",
  "desc_addr",
  "avail_addr",
  "used_addr",
  "avail_last_idx",
] as const satisfies readonly (keyof QueueObject)[];

/** Receive, transmit and control. */
const queueCount = 3;
const driverOk = 4;
const queueInterrupt = 1;
/** Address, link state and MTU can be read (virtio 1.2, section 5.1.3). */
const offered = (1 << 5) | (1 << 16) | (1 << 3) | offloads.checksum | offloads.guestChecksum;
/** Depth of V86 -> v86 -> CPU -> devices -> network card -> address. */
const macDepth = 5;

/**
 * The card of an instance that was just made, changed to what we offer. `fraction` is what
 * `Math.random` answered meanwhile; `onTransmit` is called when the driver has made frames available.
 */
export function takeOverCard(
  emulator: object,
  fraction: number,
  memory: GuestMemory,
  onTransmit: () => void,
): NetworkCard {
  const card = checkCard(findOwner(emulator, fraction));
  const { virtio } = card;
  // SAFETY: there are three, which was just checked.
  const [receive, transmit, control] = virtio.queues as [QueueObject, QueueObject, QueueObject];
  virtio.device_feature[0] = offered;
  virtio.driver_feature[0] = offered;
  for (const queue of [receive, transmit]) {
    queue.size_supported = networkQueueSize;
    queue.set_size(networkQueueSize);
  }
  // v86 asks this when the driver notifies a queue, and would serve it by itself.
  transmit.has_request = () => {
    onTransmit();
    return false;
  };
  control.has_request = () => false;
  return {
    get isDriverReady() {
      return (virtio.device_status & driverOk) !== 0;
    },
    get acceptedFeatures() {
      return virtio.driver_feature[0] ?? 0;
    },
    receive: virtqueue(receive),
    transmit: virtqueue(transmit),
    memory,
    interrupt: () => virtio.raise_irq(queueInterrupt),
    setMac: (mac) => {
      card.mac = mac.slice();
    },
  };
}

function virtqueue(queue: QueueObject): Virtqueue {
  return {
    get isEnabled() {
      return queue.enabled;
    },
    get size() {
      return queue.size;
    },
    get descriptors() {
      return queue.desc_addr >>> 0;
    },
    get available() {
      return queue.avail_addr >>> 0;
    },
    get used() {
      return queue.used_addr >>> 0;
    },
    get taken() {
      return queue.avail_last_idx;
    },
    set taken(index: number) {
      queue.avail_last_idx = index;
    },
  };
}

/**
 * v86 makes the card's address with `Math.random` and has no option for it. Its object is found by
 * the address that a constant `Math.random` makes, so this works whatever the way there is called.
 */
function findOwner(emulator: object, fraction: number): Record<string, unknown> {
  const digit = Math.floor(fraction * 255);
  const made = [0x00, 0x22, 0x15, digit, digit, digit].join(":");
  const isMac = (value: unknown) =>
    value instanceof Uint8Array && value.length === 6 && value.join(":") === made;
  let level = [emulator].filter(isPlainPart);
  const seen = new Set(level);
  for (let depth = 0; depth < macDepth; depth++) {
    const next: typeof level = [];
    for (const owner of level) {
      for (const value of Object.values(owner)) {
        if (isMac(value)) return owner;
        if (isPlainPart(value) && !seen.has(value)) {
          seen.add(value);
          next.push(value);
        }
      }
    }
    level = next;
  }
  throw new Error(`v86's network card was not found; ${notPinned}`);
}

const notPinned = "this version of v86 is not the pinned one";

function checkCard(card: Record<string, unknown>): CardObject {
  assert(card["mac"] instanceof Uint8Array, `v86's card has no mac; ${notPinned}`);
  const virtio = part(card, "virtio");
  for (const name of ["device_feature", "driver_feature"]) {
    assert(virtio[name] instanceof Uint32Array, `v86's card has no ${name}; ${notPinned}`);
  }
  assert(virtio["device_status"] === 0, `a fresh card of v86 has a driver; ${notPinned}`);
  assert(typeof virtio["raise_irq"] === "function", `v86 has no raise_irq; ${notPinned}`);
  const { queues } = virtio;
  assert(Array.isArray(queues) && queues.length === queueCount, `v86's queues; ${notPinned}`);
  for (const queue of queues) {
    const isComplete =
      queueNumbers.every((name) => typeof queue[name] === "number") &&
      queue.enabled === false &&
      typeof queue.set_size === "function" &&
      typeof queue.has_request === "function";
    assert(isComplete, `v86's queues are not as expected; ${notPinned}`);
  }
  // SAFETY: every field was just checked.
  return card as unknown as CardObject;
}

function part(owner: Record<string, unknown>, name: string): Record<string, unknown> {
  const value = owner[name];
  assert(isPlainPart(value), `v86's card has no ${name}; ${notPinned}`);
  return value;
}

/** Objects of v86's own; not its tables of thousands of ports, pages and bytes. */
function isPlainPart(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !ArrayBuffer.isView(value)
  );
}
