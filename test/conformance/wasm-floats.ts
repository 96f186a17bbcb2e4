/**
 * Finds floating-point arithmetic in a WebAssembly module's code. V8 gives the result of such an
 * operation other NaN bits in each of its compilers, and the JIT's modules, unlike v86.wasm itself,
 * change compilers while they run: they must not contain any.
 */

const codeSection = 10;

/** The operations found, as hexadecimal opcodes; each once. */
export function floatArithmetic(module: Uint8Array): string[] {
  const found = new Set<string>();
  const code = new Code(module, 8);
  while (!code.isAtEnd) {
    const section = code.byte();
    const end = code.unsigned() + code.at;
    if (section === codeSection) scanFunctions(code, found);
    code.at = end;
  }
  return [...found];
}

function scanFunctions(code: Code, found: Set<string>): void {
  for (let left = code.unsigned(); left > 0; left--) {
    const end = code.unsigned() + code.at;
    for (let groups = code.unsigned(); groups > 0; groups--) {
      code.unsigned();
      code.byte();
    }
    while (code.at < end) scanInstruction(code, found);
  }
}

/** What follows an opcode, by the binary format of WebAssembly (section 5.4). */
function scanInstruction(code: Code, found: Set<string>): void {
  const opcode = code.byte();
  if (isFloatArithmetic(opcode)) found.add(opcode.toString(16));
  if (opcode >= 0x02 && opcode <= 0x04) code.skipNumber();
  else if (opcode === 0x0e) skipBranchTable(code);
  else if (opcode === 0x11 || (opcode >= 0x28 && opcode <= 0x3e)) code.skipNumbers(2);
  else if (opcode === 0x43) code.at += 4;
  else if (opcode === 0x44) code.at += 8;
  else if (opcode === 0xfc) skipMiscellaneous(code);
  else if (oneNumber.has(opcode)) code.skipNumber();
  else if (!(none.has(opcode) || (opcode >= 0x45 && opcode <= 0xc4))) {
    throw new Error(`opcode 0x${opcode.toString(16)} at ${code.at - 1} is not known here`);
  }
}

const oneNumber = new Set([
  ...[0x0c, 0x0d, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24],
  ...[0x3f, 0x40, 0x41, 0x42],
]);
const none = new Set([0x00, 0x01, 0x05, 0x0b, 0x0f, 0x1a, 0x1b]);

/** Arithmetic, rounding and conversions to floats; loads, stores and bit casts keep every bit. */
function isFloatArithmetic(opcode: number): boolean {
  return (opcode >= 0x8b && opcode <= 0xa6) || (opcode >= 0xb2 && opcode <= 0xbb);
}

function skipBranchTable(code: Code): void {
  code.skipNumbers(code.unsigned() + 1);
}

function skipMiscellaneous(code: Code): void {
  const operation = code.unsigned();
  if (operation > 7) throw new Error(`operation 0xfc ${operation} is not known here`);
}

class Code {
  at: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes;
    this.at = at;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#bytes.length;
  }

  byte(): number {
    const byte = this.#bytes[this.at++];
    if (byte === undefined) throw new Error(`the module ends at ${this.at - 1}`);
    return byte;
  }

  unsigned(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  skipNumber(): void {
    while (this.byte() >= 0x80);
  }

  skipNumbers(count: number): void {
    for (let i = 0; i < count; i++) this.skipNumber();
  }
}
