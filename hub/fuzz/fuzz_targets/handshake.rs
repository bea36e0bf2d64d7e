#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| chatcluster_hub_fuzz_targets::handshake(data));
