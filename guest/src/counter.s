# counter [milliseconds]
#
# Prints "counter 1", "counter 2", ... for ever, one line every 10 milliseconds or as told. A viewer
# of the output can tell at once whether a line was lost or repeated.
#
# Written without a C library, so that building the guest needs only an assembler; a shell loop would
# start a process for every line, which is slow under emulation.
# System calls on i386: number in eax, arguments in ebx, ecx, edx, then int 0x80; the result is in
# eax, negative on error.

        .intel_syntax noprefix

        .equ SYS_EXIT, 1
        .equ SYS_WRITE, 4
        .equ SYS_NANOSLEEP, 162
        .equ STDOUT, 1
        .equ EINTR, 4
        .equ DEFAULT_INTERVAL_MS, 10

        .text
        .globl start
start:
        # The stack at the start of a process: argument count, program name, first argument, ...
        mov eax, DEFAULT_INTERVAL_MS
        cmp dword ptr [esp], 2
        jb set_interval
        mov esi, [esp + 8]
        call parse_decimal

set_interval:                           # eax = milliseconds -> seconds and nanoseconds
        xor edx, edx
        mov ecx, 1000
        div ecx
        mov [interval_seconds], eax
        imul edx, edx, 1000000
        mov [interval_nanoseconds], edx

        xor ebp, ebp                    # ebp = the number printed last
next_line:
        inc ebp
        call print_line
        mov eax, SYS_NANOSLEEP
        mov ebx, offset interval_seconds
        xor ecx, ecx                    # the time left after a signal is of no interest
        int 0x80
        jmp next_line

# Prints "counter <ebp>" and a newline.
print_line:
        # The line is put together from its end, because division yields the last digit first.
        mov edi, offset line_end
        dec edi
        mov byte ptr [edi], '\n'
        mov eax, ebp
        mov ecx, 10
next_digit:
        xor edx, edx
        div ecx                         # eax = the rest of the number, edx = its last digit
        add dl, '0'
        dec edi
        mov [edi], dl
        test eax, eax
        jnz next_digit

        mov ecx, offset label_end - label
        sub edi, ecx
        push edi
        mov esi, offset label
        rep movsb                       # "counter " before the digits
        pop ecx                         # ecx = start of the line

# One write may take only a part of the line, so go on until all of it is written.
write_rest:
        mov eax, SYS_WRITE
        mov ebx, STDOUT
        mov edx, offset line_end
        sub edx, ecx
        int 0x80
        cmp eax, -EINTR
        je write_rest
        test eax, eax
        js fail                         # nobody reads any more
        add ecx, eax
        cmp ecx, offset line_end
        jb write_rest
        ret

fail:
        mov eax, SYS_EXIT
        mov ebx, 1
        int 0x80

# Reads the decimal number at esi into eax; stops at the first character that is no digit.
parse_decimal:
        xor eax, eax
parse_digit:
        movzx edx, byte ptr [esi]
        sub edx, '0'
        cmp edx, 9
        ja parsed                       # also when it was below '0': the comparison is unsigned
        imul eax, eax, 10
        add eax, edx
        inc esi
        jmp parse_digit
parsed:
        ret

        .section .rodata
label:  .ascii "counter "
label_end:

        .bss
        .balign 4
interval_seconds:     .skip 4           # these two are a struct timespec
interval_nanoseconds: .skip 4
line:   .skip 32                        # 8 for the label, at most 10 digits, 1 for the newline
line_end:
