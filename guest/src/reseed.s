# reseed < 32-bytes
#
# Mixes the 32 bytes on standard input into the kernel's random number generator, credits them as
# entropy and makes the generator start from them at once.
#
# Writing to /dev/urandom would mix them in too, but the generator would go on with its present key
# for up to a minute. Every VM that was started from the same snapshot has that same key and would
# draw the same random numbers. Both calls used here are described in random(4).

        .intel_syntax noprefix

        .equ SYS_EXIT, 1
        .equ SYS_READ, 3
        .equ SYS_OPEN, 5
        .equ SYS_IOCTL, 54
        .equ STDIN, 0
        .equ O_WRONLY, 1
        .equ RNDADDENTROPY, 0x40085203
        .equ RNDRESEEDCRNG, 0x5207
        .equ SEED_BYTES, 32

        .text
        .globl start
start:
        mov ecx, offset seed
read_rest:                              # a pipe may hand over the bytes in parts
        mov eax, SYS_READ
        mov ebx, STDIN
        mov edx, offset seed + SEED_BYTES
        sub edx, ecx
        int 0x80
        test eax, eax
        jle fail                        # fewer bytes than promised: no seed is better than half of one
        add ecx, eax
        cmp ecx, offset seed + SEED_BYTES
        jb read_rest

        mov eax, SYS_OPEN
        mov ebx, offset device
        mov ecx, O_WRONLY
        int 0x80
        test eax, eax
        js fail
        mov ebx, eax

        mov eax, SYS_IOCTL
        mov ecx, RNDADDENTROPY
        mov edx, offset pool_info
        int 0x80
        test eax, eax
        js fail

        mov eax, SYS_IOCTL
        mov ecx, RNDRESEEDCRNG
        xor edx, edx
        int 0x80
        test eax, eax
        js fail

        xor ebx, ebx
        jmp exit
fail:
        mov ebx, 1
exit:
        mov eax, SYS_EXIT
        int 0x80

        .section .rodata
device: .asciz "/dev/urandom"

        .data
        .balign 4
pool_info:                              # struct rand_pool_info
        .long SEED_BYTES * 8            # bits of entropy to credit
        .long SEED_BYTES                # bytes in the buffer
seed:   .skip SEED_BYTES
