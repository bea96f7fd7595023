# What a process stands on where there is no libc: its entry, its exit, and the functions that core expects of every
# target. (On bare-metal targets compiler_builtins brings them; on Linux it leaves them to libc.)

    .globl _start, exit, memcpy, memmove, memset, memcmp, bcmp

# The kernel starts a process with an aligned stack and no return address.
_start:
    call {main}
    mov edi, eax
exit:
    mov eax, 60
    syscall

memcpy:
memmove:
    mov rax, rdi
    mov rcx, rdx
    mov r8, rdi
    sub r8, rsi
    cmp r8, rdx
    jb 1f
    rep movsb
    ret
1:  # The target begins inside the source: from the last byte down.
    lea rdi, [rdi + rdx - 1]
    lea rsi, [rsi + rdx - 1]
    std
    rep movsb
    cld
    ret

memset:
    mov r8, rdi
    mov eax, esi
    mov rcx, rdx
    rep stosb
    mov rax, r8
    ret

memcmp:
bcmp:
    # Of no bytes at all the flags of this line say that they are equal.
    xor eax, eax
    mov rcx, rdx
    repe cmpsb
    setb al
    seta cl
    movzx ecx, cl
    sub eax, ecx
    ret
