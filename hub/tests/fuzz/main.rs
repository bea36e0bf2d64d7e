//! A bounded run of the fuzz targets, on the corpus and on random changes of it. It needs no instrumented
//! compiler, so it is part of every test run; `cargo xtask fuzz` is the thorough run, which finds new members
//! of the corpus.
//!
//! The same seed gives the same bytes: `CHATCLUSTER_FUZZ_SEED` sets another one.

mod mutation;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use chatcluster_hub_fuzz_targets as targets;
use mutation::Mutation;

/// The most runs of a target.
const RUNS: u32 = 50_000;
/// The time after which a target gets no more runs.
const LONGEST: Duration = Duration::from_secs(10);

#[test]
fn a_handshake_is_understood_or_refused() {
    fuzz("handshake", targets::handshake);
}

#[test]
fn json_is_read_in_any_pieces_and_can_be_written_again() {
    fuzz("json", targets::json);
}

#[test]
fn messagepack_is_read_in_any_pieces_and_can_be_written_again() {
    fuzz("messagepack", targets::messagepack);
}

#[test]
fn frames_are_read_in_any_pieces() {
    fuzz("frames", targets::frames);
}

#[test]
fn only_a_signed_token_is_accepted() {
    fuzz("token", targets::token);
}

fn fuzz(name: &str, target: fn(&[u8])) {
    let corpus = corpus(name);
    for (file, data) in &corpus {
        try_out(target, data, file);
    }
    let seed =
        std::env::var("CHATCLUSTER_FUZZ_SEED").map_or(1, |seed| seed.parse().expect("a seed is a number"));
    let mut mutation = Mutation::new(seed, corpus.into_iter().map(|(_, data)| data).collect());
    let start = Instant::now();
    let mut runs = 0;
    while runs < RUNS && start.elapsed() < LONGEST {
        let data = mutation.next();
        try_out(target, &data, &format!("run {runs} of seed {seed}"));
        runs += 1;
    }
    assert!(runs > 0, "there was no time for a single run");
    println!("{name}: {runs} runs in {:?}", start.elapsed());
}

/// Runs a target. A failure prints the bytes, which belong in the corpus.
fn try_out(target: fn(&[u8]), data: &[u8], origin: &str) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| target(data))) {
        eprintln!("{origin} fails: {}", data.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let files = std::fs::read_dir(&folder).expect("each target has a corpus");
    let mut corpus: Vec<_> = files
        .map(|file| {
            let path = file.expect("the corpus can be listed").path();
            let data = std::fs::read(&path).expect("the corpus can be read");
            (path.display().to_string(), data)
        })
        .collect();
    // The corpus is sorted because folders have no order, and the same seed has to give the same bytes.
    corpus.sort();
    corpus
}
