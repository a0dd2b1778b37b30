//! Where the randomness of a step comes from.

/// Seed of libtorch's generators for one batch by its place in the order, which is the global step
/// unless a step has several: dropout and all other noise are functions of (seed, replica, global
/// step) alone, so that a step may be run anywhere, and run again.
///
/// Mixes with the finaliser of SplitMix64 (Steele, Lea and Flood, 2014), which is a bijection: two
/// batches of one replica never share a seed.
pub(crate) fn seed_of_batch(seed: u64, replica: u32, index: u64) -> i64 {
    let stream = mix(seed ^ mix(u64::from(replica) ^ 0x6e6f_6973_6521_0000));
    mix(stream ^ index).cast_signed()
}

fn mix(mut z: u64) -> u64 {
    z = z.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_seed_replica_and_batch_has_noise_of_its_own() {
        let mut seen = HashSet::new();
        for seed in 0..10 {
            for replica in 0..10 {
                for index in 0..100 {
                    assert!(seen.insert(seed_of_batch(seed, replica, index)));
                }
            }
        }
    }
}
