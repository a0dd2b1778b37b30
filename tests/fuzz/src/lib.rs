//! Fuzzes everything that reads what others wrote.
//!
//! - [`TARGETS`]: the readers and handlers, each a function of bytes; `targets`: what they check.
//! - [`Target::check`]: runs one on an input and holds it to its memory.
//! - [`corpus`]: the kept inputs; [`mutate`]: seeded changes to them.
//! - `conversation`: messages and events in one input.
//!
//! Two programs drive them. `replay` runs the corpus and seeded mutations of it, for `cargo test`;
//! `fuzz` is libFuzzer, for `scripts/fuzz`. A panic, a crash of the process, or more memory than
//! [`Target::most_memory`] is a finding. `docs/fuzzing.md` says how to work with them.

#![expect(
    clippy::expect_used,
    reason = "an input that breaks a promise ends the process: that is how it is found"
)]

mod conversation;
pub mod corpus;
pub mod mutate;
mod targets;

pub use targets::TARGETS;

use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Memory that any input may take: the first piece of a compressed array, the text of a document, the
/// picture of a curve.
const ALLOWANCE_BYTES: usize = 32 << 20;

/// Times its size that an input may take besides: deflate unpacks to 1,032 times, into memory that
/// grows by doubling.
const TIMES: usize = 2048;

/// What became of an input.
#[derive(Clone, Copy, Debug)]
pub struct Checked {
    /// Whether it was read, rather than refused.
    pub read: bool,
    /// The most memory that it took, in bytes.
    pub taken: usize,
}

/// Something that reads what others wrote.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder of the corpus.
    pub name: &'static str,
    /// Whether the input was read, rather than refused; panics where it breaks a promise.
    run: fn(&[u8]) -> bool,
    /// Inputs that are made rather than kept.
    seeds: fn() -> Vec<Vec<u8>>,
}

impl Target {
    /// The target of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|target| target.name == name)
    }

    /// Inputs that are made rather than kept, such as whole conversations.
    #[must_use]
    pub fn seeds(&self) -> Vec<Vec<u8>> {
        (self.seeds)()
    }

    /// Bytes of memory that an input of `length` bytes may take.
    #[must_use]
    pub fn most_memory(length: usize) -> usize {
        ALLOWANCE_BYTES + TIMES * length
    }

    /// Runs the target on an input.
    ///
    /// # Panics
    /// Where the input breaks a promise, or takes more memory than it may. The whole process is
    /// measured: nothing else may run in it.
    pub fn check(&self, input: &[u8]) -> Checked {
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let read = (self.run)(input);
        let taken = ALLOCATOR.peak_usage().saturating_sub(before);
        let most = Self::most_memory(input.len());
        assert!(
            taken <= most,
            "{} bytes of input took {taken} bytes of memory, more than {most}",
            input.len()
        );
        Checked { read, taken }
    }
}
