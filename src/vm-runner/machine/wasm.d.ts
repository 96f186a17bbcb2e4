/**
 * What the machine uses of WebAssembly. TypeScript types it only in lib "dom", which would open the
 * core to timers and clocks.
 */
declare namespace WebAssembly {
  class Module {
    constructor(code: Uint8Array);
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>);
    readonly exports: Record<string, unknown>;
  }
  interface Memory {
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }
  interface Table {
    set(index: number, value: unknown): void;
  }
}
