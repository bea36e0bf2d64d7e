//! Hexadecimal digits of bytes, random ones among them.

use rand::{TryRngCore, rngs::OsRng};

/// Returns `N` bytes from the system's random source as hexadecimal digits.
///
/// # Panics
/// If the system has no random source.
pub(crate) fn random_hex<const N: usize>() -> String {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).expect("the system's random source must work to make a password");
    hex(&bytes)
}

/// Returns bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
