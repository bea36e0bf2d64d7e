//! The algorithm of a public key, as far as that has to be known: RSA or another one.

/// The algorithm of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PublicKey {
    Rsa,
    /// Another algorithm, such as one of an elliptic curve.
    Other,
}

/// The object identifier `rsaEncryption`, 1.2.840.113549.1.1.1 (RFC 8017, A.1).
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// Tags of DER (X.690, 8.1.2).
mod tag {
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(super) const SEQUENCE: u8 = 0x30;
}

/// Reads the first block of PEM, which is the one that hubs read; `None`: it is no public key.
pub(super) fn read(text: &str) -> Option<PublicKey> {
    let block = pem::parse(text).ok()?;
    let (key, _) = element(tag::SEQUENCE, block.contents())?;
    match block.tag() {
        // RSAPublicKey (RFC 8017, A.1.1): modulus and exponent
        "RSA PUBLIC KEY" => {
            let (_, rest) = element(tag::INTEGER, key)?;
            element(tag::INTEGER, rest).map(|_| PublicKey::Rsa)
        }
        // SubjectPublicKeyInfo (RFC 5280, 4.1): the algorithm, and the key as a string of bits
        "PUBLIC KEY" => {
            let (algorithm, _) = element(tag::SEQUENCE, key)?;
            let (id, _) = element(tag::OBJECT_IDENTIFIER, algorithm)?;
            Some(if id == RSA { PublicKey::Rsa } else { PublicKey::Other })
        }
        _ => None,
    }
}

/// Returns the content of the DER element at the start, whose tag has to be `tag`, and the bytes that follow
/// it.
fn element(tag: u8, der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = der.split_first_chunk()?;
    let (length, rest) = match usize::from(length) {
        length @ 0..=0x7f => (length, rest),
        // No element of a key is longer than 64 KiB.
        count @ 0x81..=0x82 => {
            let (bytes, rest) = rest.split_at_checked(count - 0x80)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length).filter(|_| found == tag)
}
