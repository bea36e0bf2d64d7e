//! Connection tokens (`TransportProtocols.md`, "connectionToken"), by which a client refers to its
//! connection.
//!
//! A token is signed with a key that all hubs share, and names the hub that has the connection: any hub that
//! receives a request knows the hub that the request is for, so the load balancer needs no sticky sessions. A
//! token that was negotiated costs no memory until its client connects.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;

/// The first byte of every token.
const VERSION: u8 = 1;

/// The number of bytes of a token's signature: 128 bits.
const SIGNATURE: usize = 16;

/// The least length of a key in bytes: the length of a SHA-256 digest.
pub const LEAST_KEY: usize = 32;

/// The id of a connection, for clients and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(u128);

impl ConnectionId {
    /// A random id of 128 bits.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// Parses the text of `Display`.
    pub fn read(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl std::fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The content of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The connection.
    pub id: ConnectionId,
    /// The hub that has the connection.
    pub owner: Owner,
    /// The time when the token was issued, in whole seconds since 1970.
    pub issued: Duration,
    /// True if the connection outlives its WebSocket (stateful reconnect).
    pub stateful: bool,
}

/// One process of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// The address at which other hubs reach this one.
    pub address: SocketAddr,
    /// A number that distinguishes this process from another one at the same address.
    pub instance: u32,
}

/// Signs and reads tokens.
#[derive(Debug)]
pub struct Signer {
    key: hmac::Key,
}

impl Signer {
    /// A signer with the key that all hubs share.
    pub fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// A signer with a random key: other hubs do not accept its tokens.
    pub fn alone() -> Self {
        Self::new(&rand::random::<[u8; LEAST_KEY]>())
    }

    /// The token as clients receive it.
    pub fn sign(&self, token: &Token) -> String {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(VERSION);
        bytes.push(u8::from(token.stateful));
        bytes.extend_from_slice(&token.id.0.to_be_bytes());
        bytes.extend_from_slice(&token.issued.as_secs().to_be_bytes());
        bytes.extend_from_slice(&token.owner.instance.to_be_bytes());
        bytes.extend_from_slice(&token.owner.address.port().to_be_bytes());
        match token.owner.address.ip() {
            IpAddr::V4(ip) => bytes.extend_from_slice(&ip.octets()),
            IpAddr::V6(ip) => bytes.extend_from_slice(&ip.octets()),
        }
        let signature = hmac::sign(&self.key, &bytes);
        bytes.extend_from_slice(&signature.as_ref()[..SIGNATURE]);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a token that was signed with this key; `None` for anything else.
    pub fn read(&self, text: &str) -> Option<Token> {
        // A longer text is not a token, and is not decoded to find that out.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.get(..text.len().min(128))?).ok()?;
        let (content, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE)?)?;
        let expected = hmac::sign(&self.key, content);
        // Ring's comparison requires the whole of the signature. This is a part of it, compared in constant
        // time here.
        let differences =
            expected.as_ref()[..SIGNATURE].iter().zip(signature).fold(0, |all, (a, b)| all | (a ^ b));
        if differences != 0 {
            return None;
        }
        let mut rest = Remaining(content);
        let ([VERSION], [stateful]) = (rest.take()?, rest.take()?) else { return None };
        let id = ConnectionId(u128::from_be_bytes(rest.take()?));
        let issued = Duration::from_secs(u64::from_be_bytes(rest.take()?));
        let instance = u32::from_be_bytes(rest.take()?);
        let port = u16::from_be_bytes(rest.take()?);
        let ip = match rest.0.len() {
            4 => IpAddr::from(rest.take::<4>()?),
            _ => IpAddr::from(rest.take::<16>()?),
        };
        let owner = Owner { address: SocketAddr::new(ip, port), instance };
        rest.0.is_empty().then_some(Token { id, owner, issued, stateful: stateful != 0 })
    }

    /// The secret by which a hub proves to another hub that it passes on a client's request with this token.
    pub fn pass(&self, token: &str) -> String {
        let signature = hmac::sign(&self.key, format!("passed on {token}").as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(&signature.as_ref()[..SIGNATURE])
    }
}

struct Remaining<'a>(&'a [u8]);

impl Remaining<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(address: &str) -> Token {
        Token {
            id: ConnectionId(7),
            owner: Owner { address: address.parse().unwrap(), instance: 9 },
            issued: Duration::from_secs(1_700_000_000),
            stateful: true,
        }
    }

    #[test]
    fn hubs_with_the_same_key_read_each_other_s_tokens() {
        let key = [1; LEAST_KEY];

        for address in ["10.0.0.1:8080", "[2001:db8::1]:80"] {
            let text = Signer::new(&key).sign(&token(address));
            assert_eq!(Signer::new(&key).read(&text), Some(token(address)));
            assert_eq!(Signer::new(&[2; LEAST_KEY]).read(&text), None);
            assert_eq!(Signer::alone().read(&text), None);
        }
    }

    #[test]
    fn no_bit_of_a_token_can_be_changed_and_no_byte_left_out() {
        let signer = Signer::alone();
        let text = signer.sign(&token("10.0.0.1:8080"));
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(&text).unwrap();

        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(signer.read(&BASE64_URL_SAFE_NO_PAD.encode(changed)), None);
        }
        for length in 0..bytes.len() {
            assert_eq!(signer.read(&BASE64_URL_SAFE_NO_PAD.encode(&bytes[..length])), None);
        }
        assert_eq!(signer.read("ü"), None);
    }
}
