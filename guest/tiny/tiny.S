# The tiny guest: a bare-metal program that is up after a few hundred instructions, for tests that
# need a real CPU with timer, serial port, interrupts and FPU but no operating system.
#
# What it does
#   every 10th timer interrupt   prints "tick <n>"; the timer runs at 100 Hz
#   every received byte          is echoed in upper case
#   newline                      also prints "sum <8 hexadecimal digits>"
#   b                            switches busy mode on or off: compute instead of waiting in hlt
#   q                            powers off: hlt with interrupts disabled
#
# The sum depends on every input so far and on when it came: each interrupt mixes the time stamp
# counter into it, with the byte received or the number of the tick, and busy mode mixes in the
# result of each round of arithmetic. Two machines that print the same sums have seen the same
# inputs at the same instructions.
#
# It is a multiboot kernel. The emulator copies it to 1 MiB and jumps to "start" in 32-bit protected
# mode with flat segments, so it needs no BIOS and no boot disk.

        .intel_syntax noprefix

        .equ MULTIBOOT_MAGIC, 0x1BADB002
        .equ MULTIBOOT_HAS_ADDRESSES, 0x10000

        .equ COM1, 0x3F8
        .equ COM1_DATA, COM1
        .equ COM1_INTERRUPT_ENABLE, COM1 + 1
        .equ COM1_FIFO_CONTROL, COM1 + 2
        .equ COM1_LINE_CONTROL, COM1 + 3
        .equ COM1_MODEM_CONTROL, COM1 + 4
        .equ COM1_LINE_STATUS, COM1 + 5
        .equ LINE_DATA_READY, 0x01
        .equ LINE_CAN_SEND, 0x20

        .equ PIT_CHANNEL_0, 0x40
        .equ PIT_COMMAND, 0x43
        .equ PIT_DIVISOR, 11932         # 1193182 Hz / 11932 = 100 Hz
        .equ TIMER_INTERRUPTS_PER_TICK, 10

        .equ PIC1_COMMAND, 0x20
        .equ PIC1_DATA, 0x21
        .equ PIC2_COMMAND, 0xA0
        .equ PIC2_DATA, 0xA1
        .equ END_OF_INTERRUPT, 0x20

        .equ CODE_SEGMENT, 0x08
        .equ DATA_SEGMENT, 0x10
        .equ INTERRUPT_GATE, 0x8E00     # present, 32 bits, enters with interrupts disabled
        .equ FIRST_IRQ_VECTOR, 32       # the vectors below belong to the CPU's exceptions
        .equ VECTORS, 48

        .equ RING_BYTES, 4096           # a power of two
        .equ WORK_WORDS, 16 * 1024      # 64 KiB, 16 pages

        .text
        .globl start

# ---- multiboot header: must be within the first 8 KiB ----
        .balign 4
header: .long MULTIBOOT_MAGIC
        .long MULTIBOOT_HAS_ADDRESSES
        .long -(MULTIBOOT_MAGIC + MULTIBOOT_HAS_ADDRESSES)
        .long header                    # where this header belongs in memory
        .long header                    # where the file begins in memory
        .long 0                         # load all of the file
        .long bss_end                   # zeroed up to here
        .long start

# ---- set-up ----
start:
        cli
        cld
        mov esp, offset stack_top
        # The emulator set up the segments without a table; interrupts need a real one.
        lgdt [gdt_pointer]
        ljmp CODE_SEGMENT, offset segments_loaded
segments_loaded:
        mov eax, DATA_SEGMENT
        mov ds, eax
        mov es, eax
        mov ss, eax

        mov eax, cr0
        and eax, ~0x0C                  # no FPU emulation, no lazy FPU switching
        or eax, 0x22                    # FPU present, its errors are exceptions
        mov cr0, eax
        mov eax, cr4
        or eax, 0x600                   # SSE may be used
        mov cr4, eax
        fninit

        call set_up_interrupts
        call set_up_timer
        call set_up_serial
        mov esi, offset text_ready
        call print
        sti

main_loop:
        mov byte ptr [news], 0
        call handle_input
        call print_ticks
        cmp byte ptr [busy], 0
        jne compute
        # Look once more with interrupts disabled, else one that comes right before hlt is missed.
        # sti takes effect after the instruction that follows it, so nothing can come in between.
        cli
        cmp byte ptr [news], 0
        jne awake
        sti
        hlt
        jmp main_loop
awake:  sti
        jmp main_loop
compute:
        call work
        jmp main_loop

set_up_interrupts:
        mov edi, offset idt
        mov ecx, VECTORS
        mov eax, offset on_unexpected
each_vector:
        call write_gate
        loop each_vector
        mov edi, offset idt + 8 * (FIRST_IRQ_VECTOR + 0)
        mov eax, offset on_timer
        call write_gate
        mov edi, offset idt + 8 * (FIRST_IRQ_VECTOR + 4)
        mov eax, offset on_serial
        call write_gate
        lidt [idt_pointer]

        # Both interrupt controllers: initialise, first vector, wiring, 8086 mode.
        mov al, 0x11
        out PIC1_COMMAND, al
        out PIC2_COMMAND, al
        mov al, FIRST_IRQ_VECTOR
        out PIC1_DATA, al
        mov al, FIRST_IRQ_VECTOR + 8
        out PIC2_DATA, al
        mov al, 0x04
        out PIC1_DATA, al
        mov al, 0x02
        out PIC2_DATA, al
        mov al, 0x01
        out PIC1_DATA, al
        out PIC2_DATA, al
        mov al, 0xFF & ~(1 << 0 | 1 << 4)       # only timer (0) and COM1 (4)
        out PIC1_DATA, al
        mov al, 0xFF
        out PIC2_DATA, al
        ret

# Writes the gate for the handler eax at edi and moves edi to the next one.
write_gate:
        mov [edi], ax
        mov word ptr [edi + 2], CODE_SEGMENT
        mov word ptr [edi + 4], INTERRUPT_GATE
        mov edx, eax
        shr edx, 16
        mov [edi + 6], dx
        add edi, 8
        ret

set_up_timer:
        mov al, 0x34                    # channel 0, low then high byte, repeat
        out PIT_COMMAND, al
        mov al, PIT_DIVISOR & 0xFF
        out PIT_CHANNEL_0, al
        mov al, PIT_DIVISOR >> 8
        out PIT_CHANNEL_0, al
        ret

set_up_serial:
        mov dx, COM1_LINE_CONTROL
        mov al, 0x03                    # 8 bits, no parity, one stop bit
        out dx, al
        mov dx, COM1_FIFO_CONTROL
        mov al, 0x07                    # use the queues, empty them
        out dx, al
        mov dx, COM1_MODEM_CONTROL
        mov al, 0x0B                    # ready; let the interrupt through
        out dx, al
        mov dx, COM1_INTERRUPT_ENABLE
        mov al, 0x01                    # when data was received
        out dx, al
        ret

# ---- interrupts: the only place where inputs enter ----

on_timer:
        pushad
        inc dword ptr [timer_interrupts]
        mov ecx, [timer_interrupts]
        call mix_input
        mov al, END_OF_INTERRUPT
        out PIC1_COMMAND, al
        popad
        iretd

on_serial:
        pushad
next_byte:
        mov dx, COM1_LINE_STATUS
        in al, dx
        test al, LINE_DATA_READY
        jz all_read
        mov dx, COM1_DATA
        in al, dx
        movzx ecx, al
        # A byte that finds the ring full is lost for the echo, but it counts in the sum.
        mov ebx, [ring_write]
        mov eax, ebx
        sub eax, [ring_read]
        cmp eax, RING_BYTES
        jae ring_full
        mov eax, ebx
        and eax, RING_BYTES - 1
        mov [ring + eax], cl
        inc ebx
        mov [ring_write], ebx
ring_full:
        call mix_input
        jmp next_byte
all_read:
        mov al, END_OF_INTERRUPT
        out PIC1_COMMAND, al
        popad
        iretd

# An exception is a fault of this program or of the emulator: say so and stop.
on_unexpected:
        mov esi, offset text_unexpected
        call print
        jmp power_off

# Mixes ecx (a byte or the number of the tick) and the time stamp counter into the sum, and tells the
# main loop that there is something to do.
mix_input:
        mov byte ptr [news], 1
        mov eax, ecx
        call mix
        rdtsc
        call mix
        mov eax, edx
        # falls through

# sum = rotate(sum xor eax) * prime. Call it with interrupts disabled.
mix:
        xor eax, [sum]
        rol eax, 5
        imul eax, eax, 0x01000193
        mov [sum], eax
        ret

# ---- input and output of the main loop ----

handle_input:
        mov ebx, [ring_read]
        cmp ebx, [ring_write]
        je input_done
        mov eax, ebx
        and eax, RING_BYTES - 1
        mov al, [ring + eax]
        inc ebx
        mov [ring_read], ebx

        mov cl, al                      # cl = the byte as it came
        cmp al, 'a'
        jb echo
        cmp al, 'z'
        ja echo
        sub al, 'a' - 'A'
echo:   call put_byte

        cmp cl, 'b'
        jne not_busy
        xor byte ptr [busy], 1
not_busy:
        cmp cl, 'q'
        je quit
        cmp cl, '\n'
        jne handle_input
        mov esi, offset text_sum
        call print
        mov eax, [sum]
        call print_hexadecimal
        jmp handle_input
input_done:
        ret

quit:
        call put_newline
power_off:
        cli
        hlt
        jmp power_off

# Prints a line for every tick that is due; a tick is never left out.
print_ticks:
        mov eax, [ticks_printed]
        inc eax
        imul ecx, eax, TIMER_INTERRUPTS_PER_TICK
        cmp ecx, [timer_interrupts]
        ja ticks_done
        mov [ticks_printed], eax
        mov esi, offset text_tick
        call print
        call print_decimal
        jmp print_ticks
ticks_done:
        ret

# Prints the text at esi up to its zero byte. Keeps all registers but esi.
print:
        push eax
print_next:
        lodsb
        test al, al
        jz printed
        call put_byte
        jmp print_next
printed:
        pop eax
        ret

# Prints eax and a newline.
print_decimal:
        mov ebx, 10
        xor ecx, ecx                    # how many digits are on the stack, the last one first
decimal_divide:
        xor edx, edx
        div ebx
        push edx
        inc ecx
        test eax, eax
        jnz decimal_divide
decimal_print:
        pop eax
        add al, '0'
        call put_byte
        loop decimal_print
        jmp put_newline

# Prints eax as 8 hexadecimal digits and a newline.
print_hexadecimal:
        mov edx, eax
        mov ecx, 8
hexadecimal_digit:
        rol edx, 4
        mov eax, edx
        and eax, 15
        mov al, [digits + eax]
        call put_byte
        loop hexadecimal_digit
        # falls through

put_newline:
        mov al, '\n'
        # falls through

# Sends al. Keeps all registers.
put_byte:
        push edx
        push eax
        mov dx, COM1_LINE_STATUS
wait_until_sent:
        in al, dx
        test al, LINE_CAN_SEND
        jz wait_until_sent
        pop eax
        mov dx, COM1_DATA
        out dx, al
        pop edx
        ret

# ---- busy mode ----

# One round: walks over 16 pages of memory with integer arithmetic, then adds with the FPU and with
# SSE. It is a hot loop on purpose, so that the emulator compiles it.
work:
        mov edi, offset work_area
        mov ecx, WORK_WORDS
        mov eax, [work_state]
each_word:
        mov edx, eax                    # xorshift, a small random number generator
        shl edx, 13
        xor eax, edx
        mov edx, eax
        shr edx, 17
        xor eax, edx
        mov edx, eax
        shl edx, 5
        xor eax, edx
        add [edi], eax
        add edi, 4
        dec ecx
        jnz each_word
        mov [work_state], eax

        fld qword ptr [fpu_total]
        fadd qword ptr [fpu_step]
        fstp qword ptr [fpu_total]
        movups xmm0, [sse_totals]
        movups xmm1, [sse_steps]
        addps xmm0, xmm1
        movups [sse_totals], xmm0

        cli                             # the interrupts use the sum too
        mov eax, [work_state]
        call mix
        mov eax, [work_area + 4 * (WORK_WORDS - 1)]
        call mix
        mov eax, [fpu_total]
        call mix
        mov eax, [sse_totals + 4]
        call mix
        sti
        ret

# ---- data ----

text_ready:      .asciz "tiny ready\n"
text_tick:       .asciz "tick "
text_sum:        .asciz "sum "
text_unexpected: .asciz "unexpected interrupt\n"
digits:          .ascii "0123456789abcdef"

        .balign 8
gdt:    .quad 0
        .quad 0x00CF9A000000FFFF        # code: 0 to 4 GiB, 32 bits
        .quad 0x00CF92000000FFFF        # data: 0 to 4 GiB
gdt_pointer:
        .word gdt_pointer - gdt - 1
        .long gdt
idt_pointer:
        .word 8 * VECTORS - 1
        .long idt

        .balign 8
fpu_total:       .double 0.0
fpu_step:        .double 0.1            # not exact in binary, so rounding matters
sse_totals:      .float 0.0, 0.0, 0.0, 0.0
sse_steps:       .float 0.1, 0.3, 0.7, 1.1
sum:             .long 0x811C9DC5
work_state:      .long 2463534242       # any number but zero

        .bss
        .balign 4096
work_area:        .skip 4 * WORK_WORDS
idt:              .skip 8 * VECTORS
ring:             .skip RING_BYTES
ring_read:        .skip 4               # both count bytes and are never wrapped: the difference is
ring_write:       .skip 4               # the number of bytes that wait
timer_interrupts: .skip 4
ticks_printed:    .skip 4
busy:             .skip 1
news:             .skip 1               # an interrupt came since the main loop last looked
        .balign 16
                  .skip 4096
stack_top:
bss_end:
