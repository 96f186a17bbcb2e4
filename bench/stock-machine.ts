/**
 * An unmodified v86 as anybody would run it in Node: its public API, its own run loop, timers and
 * compiler tiers. It boots the same files on the same devices as Lockstep's machine; its console
 * is on standard input and output. Arguments: a MachineSpec as JSON, and the path of gvproxy's QEMU
 * socket for a guest with a network.
 */
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { networkMtu } from "../src/shared/limits.ts";
import { type BootSpec, parseMachineSpec } from "../src/vm-runner/machine/spec.ts";
import { type CardBus, connectCard } from "./network/stock-card.ts";

interface StockV86 extends CardBus {
  add_listener(event: SerialOutput, listener: (byte: number) => void): void;
  add_listener(event: "net0-send", listener: (frame: Uint8Array) => void): void;
  serial_send_bytes(port: number, bytes: Uint8Array): void;
}

type SerialOutput = "serial0-output-byte" | "serial1-output-byte";

// SAFETY: the declaration in src/ names only what the deterministic machine uses of the package.
const { V86 } = (await import("v86")) as unknown as {
  V86: new (options: Record<string, unknown>) => StockV86;
};

const question = "personality?\n";

const { boot, memoryMiB } = parseMachineSpec(JSON.parse(process.argv[2] ?? "{}"));
if (boot.kind !== "linux") throw new Error("the stock machine boots a Linux guest");
const library = createRequire(import.meta.url).resolve("v86");
const emulator = new V86({
  wasm_path: library.replace(/libv86\.mjs$/, "v86.wasm"),
  memory_size: memoryMiB * 2 ** 20,
  vga_memory_size: 256 * 1024,
  ...images(boot),
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
  acpi: false,
  uart1: true,
  net_device: { type: "virtio", mtu: networkMtu },
});
const switchPath = process.argv[3];
if (switchPath !== undefined) connectCard(emulator, switchPath);
// v86 says here that it drops a frame; standard output is the guest's console.
console.log = () => {};
showConsole();
answerPersonality();
process.stdin.on("data", (bytes: Buffer) => emulator.serial_send_bytes(0, bytes));
process.stdin.on("end", () => process.exit(0));

function images(linux: BootSpec & { kind: "linux" }) {
  const image = (file: string) => ({ buffer: new Uint8Array(readFileSync(file)).buffer });
  return {
    bios: image(linux.bios),
    vga_bios: image(linux.vgaBios),
    bzimage: image(linux.kernel),
    initrd: image(linux.initrd),
    cmdline: linux.cmdline,
  };
}

/** What is printed in one go leaves in one piece. */
function showConsole(): void {
  let printed: number[] = [];
  emulator.add_listener("serial0-output-byte", (byte) => {
    if (printed.length === 0) {
      queueMicrotask(() => {
        process.stdout.write(Uint8Array.from(printed));
        printed = [];
      });
    }
    printed.push(byte);
  });
}

/** See guest/README.md, "Personality". */
function answerPersonality(): void {
  let asked = "";
  emulator.add_listener("serial1-output-byte", (byte) => {
    asked = (asked + String.fromCharCode(byte)).slice(-question.length);
    if (asked !== question) return;
    const answer = Buffer.from(`personality seed=${randomBytes(32).toString("hex")}\n`);
    // v86's serial port holds few bytes, so they come one by one.
    for (const [i, value] of answer.entries()) {
      setTimeout(() => emulator.serial_send_bytes(1, Uint8Array.of(value)), i);
    }
  });
}
