//! Random changes of a corpus.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// Byte sequences with a meaning in the grammars: ends, lengths, limits, and the heads of `MessagePack`.
const WORDS: [&[u8]; 30] = [
    b"\x1e",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b"null",
    b"\\u0000",
    b"\\ud800",
    b"1e999",
    b"-0",
    b"18446744073709551616",
    b"\"type\":",
    b"\"invocationId\":",
    b"\"arguments\":[",
    b"\"streamIds\":[",
    b"\xf0\x9f\xa6\x80",
    b"\xff",
    b"\x80",
    b"\x90",
    b"\x91",
    b"\xc0",
    b"\xc1",
    b"\xca\x7f\xc0\x00\x00",
    b"\xd9\xff",
    b"\xdb\xff\xff\xff\xff",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\x7f\xff\xff\xff",
    b"\xd6\xff\x00\x00\x00\x01",
    b"\xff\xff\xff\xff\x07",
];

/// The most changes to one member of the corpus.
const MOST_CHANGES: usize = 6;
/// The length to which a changed member is cut.
const MOST_BYTES: usize = 8 * 1024;

/// A source of changed members of a corpus, which a seed determines.
pub(crate) struct Mutation {
    chance: StdRng,
    corpus: Vec<Vec<u8>>,
}

impl Mutation {
    pub(crate) fn new(seed: u64, corpus: Vec<Vec<u8>>) -> Self {
        Self { chance: StdRng::seed_from_u64(seed), corpus }
    }

    /// A random member of the corpus, with random changes.
    pub(crate) fn next(&mut self) -> Vec<u8> {
        let mut data = self.member();
        for _ in 0..self.chance.random_range(1..=MOST_CHANGES) {
            self.change(&mut data);
        }
        data.truncate(MOST_BYTES);
        data
    }

    fn member(&mut self) -> Vec<u8> {
        self.corpus.choose(&mut self.chance).cloned().unwrap_or_default()
    }

    fn change(&mut self, data: &mut Vec<u8>) {
        let at = self.chance.random_range(0..=data.len());
        let end = self.chance.random_range(at..=data.len());
        match self.chance.random_range(0..7) {
            0 if at < data.len() => data[at] ^= 1 << self.chance.random_range(0..8),
            1 if at < data.len() => data[at] = self.chance.random(),
            2 => drop(data.drain(at..end)),
            3 => {
                let part = data[at..end].to_vec();
                data.splice(at..at, part);
            }
            4 => {
                let other = self.member();
                let from = self.chance.random_range(0..=other.len());
                data.splice(at..end, other[from..].iter().copied());
            }
            5 => {
                let word = WORDS.choose(&mut self.chance).copied().unwrap_or_default();
                let times = if self.chance.random_ratio(1, 20) { 300 } else { 1 };
                data.splice(at..at, word.repeat(times));
            }
            _ => data.insert(at, self.chance.random()),
        }
    }
}
