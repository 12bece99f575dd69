// SPDX-License-Identifier: BSL-1.0
// fiber: its own stack, and the switch from one fiber to another on the same thread. For one source file of a program.
#pragma once

#include <fixpool/detail/platform.hpp>

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>

#if defined(__ELF__) && defined(__x86_64__)
#define INTERLEAVINGS_FRAME 8, 6  // words that a switch leaves on the stack, and which one is the address to go on at
#elif defined(__ELF__) && defined(__aarch64__)
#define INTERLEAVINGS_FRAME 20, 11
#else
#include <ucontext.h>
#endif

#if defined(INTERLEAVINGS_FRAME)
// Saves the registers that a callee must save, stores the stack pointer at `from`, and continues where `to` was left.
// Twice as fast as ucontext, which makes a system call per switch.
extern "C" void interleavings_change(void** from, void* to);
#if defined(__x86_64__)
asm(R"(.text
    .globl interleavings_change
    .hidden interleavings_change
interleavings_change:
    pushq %rbp; pushq %rbx; pushq %r12; pushq %r13; pushq %r14; pushq %r15
    movq %rsp, (%rdi); movq %rsi, %rsp
    popq %r15; popq %r14; popq %r13; popq %r12; popq %rbx; popq %rbp
    ret
)");
#else
asm(R"(.text
    .globl interleavings_change
    .hidden interleavings_change
interleavings_change:
    sub sp, sp, #160
    stp x19, x20, [sp]; stp x21, x22, [sp, #16]; stp x23, x24, [sp, #32]; stp x25, x26, [sp, #48]
    stp x27, x28, [sp, #64]; stp x29, x30, [sp, #80]
    stp d8, d9, [sp, #96]; stp d10, d11, [sp, #112]; stp d12, d13, [sp, #128]; stp d14, d15, [sp, #144]
    mov x2, sp; str x2, [x0]; mov sp, x1
    ldp x19, x20, [sp]; ldp x21, x22, [sp, #16]; ldp x23, x24, [sp, #32]; ldp x25, x26, [sp, #48]
    ldp x27, x28, [sp, #64]; ldp x29, x30, [sp, #80]
    ldp d8, d9, [sp, #96]; ldp d10, d11, [sp, #112]; ldp d12, d13, [sp, #128]; ldp d14, d15, [sp, #144]
    add sp, sp, #160
    ret
)");
#endif
#endif

namespace interleavings {

class fiber {
public:
    static constexpr std::size_t page = 4096, stack_size = 64 * page;

    fiber() = default;  // for the stack that is running already
    /// Makes the fiber run `body` from its beginning. `body` never returns, and must not touch the stack's lowest page.
    void make(std::byte* stack, void (*body)()) {
        ::mprotect(stack, page, PROT_NONE);
        fixpool::detail::unpoison(stack, stack_size);  // in case an earlier run was abandoned
#if defined(INTERLEAVINGS_FRAME)
        constexpr std::size_t words[] = {INTERLEAVINGS_FRAME};
        void** const frame = reinterpret_cast<void**>(stack + stack_size) - words[0];
        std::fill_n(frame, words[0], nullptr);
        frame[words[1]] = reinterpret_cast<void*>(body);
        left_at_ = frame;
#else
        ::getcontext(&left_at_);
        left_at_.uc_stack.ss_sp = stack;
        left_at_.uc_stack.ss_size = stack_size;
        ::makecontext(&left_at_, body, 0);
#endif
    }
    /// Leaves this fiber, which must be the running one, for `next`.
    void change_to(fiber& next) {
#if defined(INTERLEAVINGS_FRAME)
        interleavings_change(&left_at_, next.left_at_);
#else
        ::swapcontext(&left_at_, &next.left_at_);
#endif
    }

private:
#if defined(INTERLEAVINGS_FRAME)
    void* left_at_ = nullptr;  // the stack pointer
#else
    ucontext_t left_at_{};
#endif
};

}  // namespace interleavings
