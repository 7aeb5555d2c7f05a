//! The fuzz targets without a fuzzer: each on its seeds, on everything that was ever found, and on variations of both.
//! `cargo xtask fuzz` looks for more.
#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "tests, with what they share")]
#![allow(unreachable_pub, reason = "the targets are a library elsewhere")]

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};
use targets::seeds::{Seed, seeds};
use targets::{TARGETS, Target};

/// How long each target tries variations, and how many there are at least, however busy the machine is.
const TIME: Duration = Duration::from_millis(700);
const VARIATIONS_MIN: usize = 50;
/// The longest input, in bytes: the build is not optimised.
const INPUT_BYTES_MAX: usize = 8 << 10;

/// Bytes that mean something to one parser or another.
const TELLING: &[u8] = b"\0\x01\x02\xFF<>\"'=[]{}()\\\r\n\t &;:,.*+-0";

/// Runs a target; an input that it fails on is kept, and named.
fn check(name: &str, target: Target, what: &str, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| target(input))).is_err() {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-finding"));
        fs::write(&path, input).expect("a file");
        panic!("{name} fails on {what}: mend it, and copy {} to fuzz/found/{name}/", path.display());
    }
}

/// All that was found before.
fn found(target: &'static str) -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/found").join(target);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("a file").path());
    let seed = |path: std::path::PathBuf| Seed {
        target,
        name: path.file_name().expect("a name").to_string_lossy().into_owned(),
        input: fs::read(&path).expect("a file"),
    };
    paths.map(seed).collect()
}

/// Numbers that look like chance, and are the same in each run (xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).expect("below the bound")
    }

    /// An input with a few changes: bytes that are others, missing, doubled, or from elsewhere.
    fn vary(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut varied = input[..input.len().min(INPUT_BYTES_MAX)].to_vec();
        for _ in 0..=self.below(4) {
            let start = self.below(varied.len());
            let end = (start + 1 + self.below(32)).min(varied.len());
            match self.below(5) {
                0 if !varied.is_empty() => varied[start] ^= 1 << self.below(8),
                1 if !varied.is_empty() => varied[start] = TELLING[self.below(TELLING.len())],
                2 => drop(varied.drain(start.min(end)..end)),
                3 => varied.extend_from_within(start.min(end)..end),
                _ => {
                    let from = self.below(other.len());
                    let piece = other[from..].iter().take(1 + self.below(64)).copied();
                    varied.splice(start.min(varied.len())..start.min(varied.len()), piece);
                }
            }
        }
        varied
    }
}

#[test]
fn each_target_stands_what_was_found_before_and_variations_of_it() {
    let all = seeds();
    for (name, target) in TARGETS {
        let mut inputs: Vec<Seed> = found(name);
        inputs.extend(all.iter().filter(|seed| seed.target == name).cloned());
        assert!(!inputs.is_empty(), "{name} has no seeds");
        for seed in &inputs {
            check(name, target, &seed.name, &seed.input);
        }
        let (mut chance, begun) = (Chance(1), Instant::now());
        let mut tried = 0;
        while tried < VARIATIONS_MIN || begun.elapsed() < TIME {
            let (one, other) = (&inputs[chance.below(inputs.len())], &inputs[chance.below(inputs.len())]);
            let varied = chance.vary(&one.input, &other.input);
            check(name, target, &format!("a variation of {}", one.name), &varied);
            tried += 1;
        }
        eprintln!("{name}: {} inputs, {tried} variations", inputs.len());
    }
}
