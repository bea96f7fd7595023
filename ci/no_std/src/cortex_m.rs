//! A microcontroller under QEMU, which reports success or failure to its host by semihosting.

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{self, EXIT_FAILURE, EXIT_SUCCESS};

#[entry]
fn main() -> ! {
    exit(crate::run() == 0)
}

fn exit(held: bool) -> ! {
    debug::exit(if held { EXIT_SUCCESS } else { EXIT_FAILURE });
    loop {}
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    exit(false)
}
