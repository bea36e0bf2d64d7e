//! Connection tokens (`TransportProtocols.md`, "connectionToken"): what a client shows to come back to its connection.
//!
//! A token is signed with the key that all hubs share, and says which hub has the connection: whichever hub a request comes
//! to knows where it belongs, so no load balancer has to. Until a client comes with it, nothing is kept for it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;

/// The first byte of every token.
const VERSION: u8 = 1;

/// Bytes of the signature that a token carries: 128 bits.
const SIGNATURE: usize = 16;

/// The fewest bytes of a key: as many as SHA-256 gives.
pub const LEAST_KEY: usize = 32;

/// What a connection is called, by clients and in logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionId(u128);

impl ConnectionId {
    /// 128 random bits.
    pub fn random() -> Self {
        Self(rand::random())
    }

    /// Reads what `Display` wrote.
    pub fn read(text: &str) -> Option<Self> {
        u128::from_str_radix(text, 16).ok().map(Self)
    }
}

impl std::fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    /// The connection.
    pub id: ConnectionId,
    /// The hub that has the connection.
    pub owner: Owner,
    /// When it was made, since 1970, to the second.
    pub issued: Duration,
    /// The connection outlives its WebSocket (stateful reconnect).
    pub stateful: bool,
}

/// One run of one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Where it is reached by the other hubs.
    pub address: SocketAddr,
    /// Tells it from another run at the same address.
    pub instance: u32,
}

/// Signs and reads tokens.
#[derive(Debug)]
pub struct Signer {
    key: hmac::Key,
}

impl Signer {
    /// With the key that the hubs share.
    pub fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// With a key that nobody else has: this hub's tokens are worth nothing to others.
    pub fn alone() -> Self {
        Self::new(&rand::random::<[u8; LEAST_KEY]>())
    }

    /// The token as clients get it.
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

    /// Reads a token that some hub with this key signed; `None` for anything else.
    pub fn read(&self, text: &str) -> Option<Token> {
        // A longer one is none: nothing is decoded for it.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text.get(..text.len().min(128))?).ok()?;
        let (content, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNATURE)?)?;
        let expected = hmac::sign(&self.key, content);
        // As long as HMAC's own, the signature would be compared by ring; a part of it is compared in constant time here.
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

    /// What one hub shows another when it passes a request on, so that no one else can.
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
