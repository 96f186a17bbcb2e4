/**
 * A guest that is nothing but a hostile driver of the network card: machine code that writes to
 * ports and memory in a row, and then switches itself off. No assembler is needed for three kinds of
 * instructions.
 */

/** Where the program lies, with its multiboot header; above it are its rings. */
const loadAddress = 0x0010_0000;
const rings = 0x0020_0000;
const memoryEnd = 0x0100_0000;
const headerBytes = 32;
/** Ports of v86's card: its registers (virtio 1.2, section 4.1.4.3), and the notifications. */
const registers = 0xc800;
const notifications = 0xc900;
const registerAt = {
  status: 20,
  queueSelect: 22,
  queueSize: 24,
  queueEnable: 28,
  descriptors: 32,
  available: 40,
  used: 48,
} as const;
const driverOk = 15;
const hasNext = 1;
const waitRounds = 100_000;

type Statement =
  /** So long that some steps end meanwhile, and frames come. */
  | { readonly kind: "wait" }
  | { readonly kind: "memory"; readonly address: number; readonly value: number }
  | {
      readonly kind: "port";
      readonly bits: 8 | 16 | 32;
      readonly port: number;
      readonly value: number;
    };

/** A multiboot program that does everything that a driver must not do, and powers off. */
export function hostileProgram(): Uint8Array {
  const code = [...misdeeds().flatMap(machineCode), 0xfa, 0xf4];
  const end = loadAddress + headerBytes + code.length;
  const magic = 0x1bad_b002;
  // The header says where to load: there is no ELF file around the code.
  const addresses = 1 << 16;
  const entry = loadAddress + headerBytes;
  const header = [
    magic,
    addresses,
    -(magic + addresses),
    loadAddress,
    loadAddress,
    end,
    end,
    entry,
  ];
  return Uint8Array.from([...header.flatMap(long), ...code]);
}

function misdeeds(): Statement[] {
  const all: Statement[] = [];
  // A queue is notified that was never set up.
  all.push(...notifyAll());
  for (const queue of [0, 1, 2]) {
    for (const place of [
      rings + queue * 0x10_000,
      memoryEnd - 8,
      0xffff_fff0,
      0x000a_0000,
      0xfee0_0000,
    ]) {
      all.push(...reset(), ...setUp(queue, place), outByte(registerAt.status, driverOk));
      all.push(...badChains(place), ...notifyAll());
      // Indices that are far apart, and the queue's addresses moved while it is in use.
      all.push(
        { kind: "memory", address: rings + queue * 0x10_000 + 0x1000, value: 0x7fff_0000 },
        ...notifyAll(),
      );
      all.push(outLong(registerAt.available, 0xffff_ffff), ...notifyAll());
      all.push(outWord(registerAt.queueSize, 0), ...notifyAll());
    }
  }
  return all;
}

function reset(): Statement[] {
  return [outByte(registerAt.status, 0)];
}

function setUp(queue: number, place: number): Statement[] {
  return [
    outWord(registerAt.queueSelect, queue),
    outLong(registerAt.descriptors, place),
    outLong(registerAt.available, place + 0x1000),
    outLong(registerAt.used, place + 0x2000),
    outWord(registerAt.queueEnable, 1),
  ];
}

/**
 * A chain that never ends, one of 4 GiB outside the memory, a good one of 60 bytes and its header, and
 * one that begins nowhere.
 */
function badChains(place: number): Statement[] {
  if (place < rings || place > memoryEnd - 0x1_0000) return [];
  const descriptors = [
    [place, 0, 0x7fff_ffff, hasNext | (1 << 16)],
    [0xffff_0000, 0, 0xffff_ffff, hasNext],
    [place + 0x3000, 0, 72, 0],
  ].flat();
  const heads = [(4 << 16) | 0, (1 << 16) | 0, 0xffff_0002];
  const write = (base: number) => (value: number, i: number) =>
    ({ kind: "memory", address: base + 4 * i, value }) as const;
  return [...descriptors.map(write(place)), ...heads.map(write(place + 0x1000))];
}

function notifyAll(): Statement[] {
  const notify = (queue: number) =>
    ({ kind: "port", bits: 16, port: notifications + 2 * queue, value: queue }) as const;
  return [...[0, 1, 2].map(notify), { kind: "wait" }];
}

function outByte(register: number, value: number): Statement {
  return { kind: "port", bits: 8, port: registers + register, value };
}

function outWord(register: number, value: number): Statement {
  return { kind: "port", bits: 16, port: registers + register, value };
}

function outLong(register: number, value: number): Statement {
  return { kind: "port", bits: 32, port: registers + register, value };
}

/** mov ecx, count; dec ecx; jnz to it; or mov dword [address], value; or mov dx, port; mov eax, value; out dx, (al | ax | eax). */
function machineCode(statement: Statement): number[] {
  if (statement.kind === "wait") return [0xb9, ...long(waitRounds), 0x49, 0x75, 0xfd];
  if (statement.kind === "memory") {
    return [0xc7, 0x05, ...long(statement.address), ...long(statement.value)];
  }
  const { port, bits, value } = statement;
  const out = { 8: [0xee], 16: [0x66, 0xef], 32: [0xef] }[bits];
  return [0x66, 0xba, port & 0xff, port >> 8, 0xb8, ...long(value), ...out];
}

function long(value: number): number[] {
  return [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff);
}
