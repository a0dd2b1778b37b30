//! Numbers that look random and are functions of a key: SplitMix64 (Steele, Lea and Flood, 2014).

/// 2^64 divided by the golden ratio: the increment of SplitMix64.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The numbers that belong to a key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Random {
    state: u64,
}

impl Random {
    /// Those of a key of several words.
    pub(crate) fn new<const WORDS: usize>(key: [u64; WORDS]) -> Self {
        let state = key
            .into_iter()
            .fold(0, |state: u64, word| mix(state.wrapping_add(GOLDEN) ^ word));
        Self { state }
    }

    /// The next one.
    pub(crate) fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }
}

/// A number below `bound` from 64 random bits, by multiplication (Lemire 2019) instead of division.
pub(crate) fn below(bits: u64, bound: u64) -> u64 {
    ((u128::from(bits) * u128::from(bound)) >> 64) as u64
}

/// A bijection of 64 bits in which each bit of the input changes half of the output: variant 13 of
/// Stafford's mixers of MurmurHash3, the one in SplitMix64.
pub(crate) fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
