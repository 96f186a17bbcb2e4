/** What the machine uses of the v86 package; its own types need lib "dom". */
declare module "v86" {
  type ImageOption = { readonly buffer: ArrayBuffer } | undefined;

  interface V86Options {
    readonly wasm_fn: (imports: {
      readonly env: Record<string, unknown>;
    }) => Promise<Record<string, unknown>>;
    readonly memory_size: number;
    readonly vga_memory_size: number;
    readonly bios: ImageOption;
    readonly vga_bios: ImageOption;
    readonly bzimage: ImageOption;
    readonly initrd: ImageOption;
    readonly multiboot: ImageOption;
    readonly cmdline: string | undefined;
    readonly autostart: false;
    readonly disable_keyboard: true;
    readonly disable_mouse: true;
    readonly disable_speaker: true;
    readonly acpi: false;
    readonly uart1: true;
    readonly net_device: { readonly type: "virtio"; readonly mtu: number };
    readonly preserve_mac_from_state_image: true;
  }

  export class V86 {
    constructor(options: V86Options);
    readonly bus: { send(event: string, value: unknown): void };
    add_listener(event: string, listener: (value: never) => void): void;
    save_state(): Promise<ArrayBuffer>;
    restore_state(state: ArrayBuffer): Promise<void>;
  }
}
