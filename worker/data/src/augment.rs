//! How the images of a step are varied.

use crate::random::{Random, below};

/// Tells these numbers from others that are drawn with the same seed.
const STREAM: u64 = 0x6175_676d_656e_7421;

/// Which variations are drawn for each image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augmentation {
    /// Zeros put around each image, out of which it is cut again, in its own size, at a random place.
    pub crop: Option<u32>,
    /// Mirror left and right, one image in two.
    pub flip: bool,
}

/// What was drawn for one image. It is cropped first, then mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variation {
    /// First row of the cut in the image with its zeros around: 0 to twice their width.
    pub top: u64,
    /// Its first column.
    pub left: u64,
    /// Whether it is mirrored.
    pub flip: bool,
}

impl Augmentation {
    /// Whether nothing is varied.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// What happens to the image at a position of a step's batch: a function of (seed, replica,
    /// global step, position) alone, which will stay the same in all later versions. What is drawn
    /// for a crop does not depend on whether images are mirrored, and the other way round.
    #[must_use]
    pub fn draw(self, seed: u64, replica: u32, step: u64, position: u64) -> Variation {
        let mut random = Random::new([STREAM, seed, replica.into(), step, position]);
        let places = 2 * u64::from(self.crop.unwrap_or(0)) + 1;
        Variation {
            top: below(random.draw(), places),
            left: below(random.draw(), places),
            flip: below(random.draw(), 2) == 1 && self.flip,
        }
    }
}
