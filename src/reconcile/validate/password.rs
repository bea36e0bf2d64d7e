//! The password of Redis: its sources, and the only forms in which it leaves the process.

use std::collections::BTreeSet;
use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::hex::{hex, random_hex};

/// The maximum length of a password, in bytes.
const MAX_LENGTH: usize = 512;

/// A password that Redis takes. It never shows in `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

/// The reason for which bytes are not a password.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PasswordError {
    /// Nothing is left after the trailing line break.
    #[error("it is empty")]
    Empty,
    /// The bytes are not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// The text has a control character, such as a line break, in the middle.
    #[error("it has a control character such as a line break in it")]
    ControlCharacter,
    /// The text is longer than Redis clients take in one line.
    #[error("it is longer than {MAX_LENGTH} bytes")]
    TooLong,
}

impl Password {
    /// Generates a password: 32 bytes from the system's random source, as 64 hexadecimal digits.
    ///
    /// # Panics
    /// If the system has no random source: a guessable password must not come into being.
    pub fn generate() -> Self {
        Self(random_hex::<32>())
    }

    /// Parses the value of a Secret's key. One trailing line break, as editors and `echo` leave it, is not
    /// part of the password.
    pub fn parse(bytes: &[u8]) -> Result<Self, PasswordError> {
        let text = std::str::from_utf8(bytes).map_err(|_| PasswordError::NotText)?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            Err(PasswordError::Empty)
        } else if text.len() > MAX_LENGTH {
            Err(PasswordError::TooLong)
        } else if text.chars().any(char::is_control) {
            Err(PasswordError::ControlCharacter)
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// Returns why the password is easy to guess, if it is: Redis answers hundreds of thousands of guesses a
    /// second. The text says no more about the password than that.
    pub fn weakness(&self) -> Option<&'static str> {
        let distinct: BTreeSet<char> = self.0.chars().collect();
        if self.0.chars().count() < 16 {
            Some("has fewer than 16 characters")
        } else if distinct.len() < 8 {
            Some("has fewer than 8 different characters")
        } else {
            None
        }
    }

    /// Returns the password itself, for a Secret's data and for AUTH only.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns Redis's ACL file: the default user with this password's SHA-256, and no other user. See
    /// <https://redis.io/docs/latest/operate/oss_and_stack/management/security/acl/>.
    pub fn acl_file(&self) -> String {
        format!("user default on #{} ~* &* +@all\n", hex(&Sha256::digest(self.0.as_bytes())))
    }

    /// Returns `redis://:password@server:port`, with everything but unreserved characters percent-encoded
    /// (RFC 3986, 2.3).
    pub fn uri(&self, server: &str, port: u16) -> String {
        let mut encoded = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                encoded.push(char::from(byte));
            } else {
                encoded.push('%');
                encoded.push_str(&hex(&[byte]).to_uppercase());
            }
        }
        format!("redis://:{encoded}@{server}:{port}")
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_or_monotonous_password_is_weak_and_a_generated_one_is_not() {
        let weakness = |text: &str| Password::parse(text.as_bytes()).unwrap().weakness();

        assert!(weakness("hunter2").unwrap().contains("16 characters"));
        assert!(weakness("abababababababababab").unwrap().contains("different"));
        assert_eq!(weakness("correct horse battery staple"), None);
        assert_eq!(Password::generate().weakness(), None);
    }

    #[test]
    fn generated_passwords_are_256_bits_and_differ() {
        let (a, b) = (Password::generate(), Password::generate());

        assert_eq!(a.reveal().len(), 64);
        assert_ne!(a, b);
    }

    #[test]
    fn a_password_never_shows_in_debug_output() {
        assert_eq!(format!("{:?}", Password::parse(b"secret").unwrap()), "Password(hidden)");
    }

    #[test]
    fn one_trailing_line_break_is_not_part_of_it() {
        assert_eq!(Password::parse(b"a b\r\n").unwrap().reveal(), "a b");
    }

    #[test]
    fn what_redis_could_not_take_is_refused() {
        assert_eq!(Password::parse(b"\n"), Err(PasswordError::Empty));
        assert_eq!(Password::parse(b"a\nb"), Err(PasswordError::ControlCharacter));
        assert_eq!(Password::parse(&[0xff]), Err(PasswordError::NotText));
        assert_eq!(Password::parse(&[b'a'; 513]), Err(PasswordError::TooLong));
    }

    #[test]
    fn the_acl_file_holds_the_hash_and_not_the_password() {
        let acl = Password::parse(b"secret").unwrap().acl_file();

        assert_eq!(
            acl,
            "user default on #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~* &* +@all\n"
        );
    }

    #[test]
    fn the_uri_is_percent_encoded() {
        let uri = Password::parse("a/b@ü".as_bytes()).unwrap().uri("lobby-redis", 6379);

        assert_eq!(uri, "redis://:a%2Fb%40%C3%BC@lobby-redis:6379");
    }
}
