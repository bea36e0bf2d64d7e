//! Tokens (JWT) as the operator of a site gives them to its users.

use jsonwebtoken::{EncodingKey, Header, encode};

/// The secret that signs the tokens.
pub(crate) const KEY: &str = "s3cret-of-at-least-32-bytes-for-jwt";

pub(crate) fn hs256(claims: &serde_json::Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(KEY.as_bytes()))
        .expect("a token can be signed")
}
