//! A process without libc.

use core::arch::global_asm;
use core::panic::PanicInfo;

extern "C" fn main() -> i32 {
    crate::run()
}

global_asm!(include_str!("bare.s"), main = sym main);

// SAFETY: bare.s defines it with this signature, and it never returns.
unsafe extern "C" {
    safe fn exit(status: i32) -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(101)
}
