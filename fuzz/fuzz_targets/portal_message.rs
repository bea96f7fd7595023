#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    port_protocol_fuzz::portal_message(data);
});
