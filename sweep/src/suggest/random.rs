//! SplitMix64, so that the same seed gives the same signs on every machine and with every version
//! of every library.

/// Steele, Lea and Flood, "Fast splittable pseudorandom number generators" (2014), in the form of
/// Vigna's public-domain `splitmix64.c`.
#[derive(Clone, Debug)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Random signs, 64 from each number, from its lowest bit up.
    pub(crate) fn signs(&mut self) -> impl Iterator<Item = f64> {
        std::iter::repeat_with(|| self.next())
            .flat_map(|bits| (0..64).map(move |bit| if bits >> bit & 1 == 1 { 1.0 } else { -1.0 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut random = SplitMix64::new(1_234_567);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }
}
