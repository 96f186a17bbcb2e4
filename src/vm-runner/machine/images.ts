/** What a machine is made of: checked sizes and the bytes of the guest's files. */

export interface MachineImages {
  readonly memoryMiB: number;
  readonly boot: BootImages;
}

export type BootImages =
  /** A Linux kernel, started by the BIOS. */
  | {
      readonly kind: "linux";
      readonly bios: Uint8Array;
      readonly vgaBios: Uint8Array;
      readonly kernel: Uint8Array;
      readonly initrd: Uint8Array;
      readonly cmdline: string;
    }
  /** A multiboot program, started directly: no BIOS. */
  | { readonly kind: "multiboot"; readonly program: Uint8Array };
