//! A module that imports nothing and exports one function.

use core::panic::PanicInfo;

// SAFETY: no other symbol of this module has that name.
#[unsafe(no_mangle)]
extern "C" fn run() -> i32 {
    crate::run()
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
