//! Compresses texts that are kept for long and seldom read, such as the JSON of objects: with LZ4, and
//! similar texts as the dictionary. The children of two clusters differ in little more than names, uids and
//! times.
//!
//! With compression the operator takes 36 MiB for 1,000 clusters and 124 MiB for 10,000, without it 55 MiB
//! and about 300 MiB (`docs/decisions/0002-own-cache.md`).

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use lz4_flex::block::{compress_with_dict, decompress_with_dict};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest dictionary in bytes. It has room for an example of each role that objects of a kind have.
const LONGEST: usize = 16 << 10;
/// A text that does not shrink to a third is unlike all texts before it, and is added to the dictionary.
const ALIKE: usize = 3;

/// Compresses similar texts. Its dictionary grows by each text that is unlike all before it, up to a limit.
#[derive(Debug, Default)]
pub struct Compressor {
    known: Mutex<Arc<Vec<u8>>>,
}

/// A compressed text.
#[derive(Clone)]
pub struct Compressed {
    bytes: Box<[u8]>,
    known: Arc<Vec<u8>>,
    length: usize,
}

impl Compressor {
    /// Compresses a text.
    pub fn pack(&self, text: &[u8]) -> Compressed {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let bytes = compress_with_dict(text, &known);
        if bytes.len() * ALIKE > text.len() {
            self.learn(&known, text);
        }
        // The bytes are copied: a vector shrunk in place would stay in a block with room for the whole text.
        Compressed { bytes: bytes.as_slice().into(), known, length: text.len() }
    }

    /// Compresses the JSON of an object.
    ///
    /// # Panics
    /// If the object has maps whose keys are not strings, which no Kubernetes type has.
    pub fn object<T: Serialize>(&self, object: &T) -> Compressed {
        self.pack(&serde_json::to_vec(object).expect("Kubernetes objects have string keys only"))
    }

    /// Adds a text to the dictionary, if there is room.
    fn learn(&self, known: &Arc<Vec<u8>>, text: &[u8]) {
        let mut now = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have added a similar text meanwhile.
        if Arc::ptr_eq(&now, known) && known.len() + text.len() <= LONGEST {
            *now = Arc::new([known.as_slice(), text].concat());
        }
    }
}

impl Compressed {
    /// Returns the text.
    ///
    /// # Panics
    /// Never: the text was compressed by [`Compressor::pack`].
    pub fn text(&self) -> Vec<u8> {
        decompress_with_dict(&self.bytes, self.length, &self.known).expect("it was packed here")
    }

    /// Returns the object whose JSON the text is.
    ///
    /// # Panics
    /// If the text is not the JSON of an object of that type.
    pub fn object<T: DeserializeOwned>(&self) -> T {
        serde_json::from_slice(&self.text()).expect("it is the JSON of an object of that type")
    }
}

impl fmt::Debug for Compressed {
    /// Leaves the content out: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes in {}", self.length, self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: usize) -> String {
        let field = |field: usize| format!(r#""field {field}": {{"of": "{}"}}"#, field * 77);
        let fields: Vec<String> = (0..40).map(field).collect();
        format!(r#"{{"name": "lobby-{number}", {}, "uid": "{:x}"}}"#, fields.join(", "), number * 0xdead_beef)
    }

    /// Text that has nothing in common with other texts.
    fn noise(seed: u64, length: u64) -> String {
        let word = |n: u64| format!("{:x}", (seed * 7919 + n).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let words: Vec<String> = (1..=length).map(word).collect();
        words.join("/")
    }

    #[test]
    fn every_text_comes_back_as_it_was() {
        let packer = Compressor::default();
        let long = noise(1, 4_000);
        let texts: Vec<String> =
            (0..100).map(text).chain([String::new(), "x".to_owned(), long.clone(), long]).collect();

        let all: Vec<Compressed> = texts.iter().map(|text| packer.pack(text.as_bytes())).collect();

        for (packed, text) in all.iter().zip(&texts) {
            assert!(packed.text() == text.as_bytes(), "{packed:?} of {text}");
        }
    }

    #[test]
    fn what_is_like_a_text_before_it_takes_little_room() {
        let packer = Compressor::default();
        let other = "something else altogether, of which the next ones have nothing".repeat(9);
        packer.pack(other.as_bytes());
        packer.pack(text(1).as_bytes());

        let last = packer.pack(text(2).as_bytes());

        assert!(last.bytes.len() * 10 < last.length, "{last:?}");
    }

    #[test]
    fn what_is_kept_to_compare_with_is_bounded() {
        let packer = Compressor::default();
        for number in 0..10_000_u64 {
            packer.pack(noise(number, 20).as_bytes());
        }

        assert!(packer.known.lock().unwrap().len() <= LONGEST);
    }
}
