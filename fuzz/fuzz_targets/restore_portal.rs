#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    port_protocol_fuzz::restore_portal(data);
});
