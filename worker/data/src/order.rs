//! Which samples make the batch of a global step.

use crate::error::DataError;
use crate::permutation::{Domain, Permutation};
use rangefinder_errors::Code;

/// The order of batches: a function of (seed, replica, global step) alone, with random access and
/// without tables.
///
/// An epoch takes every sample once; step `s` belongs to epoch `s / steps_per_epoch`, and a sweep
/// longer than the data goes on with further epochs. Batches never straddle epochs. As in PyTorch's
/// `DataLoader`, the last batch of an epoch is smaller where the batch size does not divide the
/// data, unless `drop_last` leaves it out: then the samples it would have had sit this epoch out.
///
/// With `shuffle` each epoch has an order of its own, drawn from (seed, replica, epoch); it will
/// stay the same in all later versions. Without it, samples come in the order of the file in every
/// epoch, and seed and replica do not matter: replicas then see the same data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchOrder {
    samples: u64,
    batch_size: u32,
    steps_per_epoch: u64,
    shuffle: Option<Shuffle>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Shuffle {
    domain: Domain,
    seed: u64,
    replica: u32,
}

impl BatchOrder {
    /// The order of batches of `batch_size` out of `samples` samples.
    ///
    /// # Errors
    /// When the batch size is 0 or above the number of samples, or that number is above `i64::MAX`.
    pub fn new(
        samples: u64,
        batch_size: u32,
        shuffle: bool,
        drop_last: bool,
        seed: u64,
        replica: u32,
    ) -> Result<Self, DataError> {
        if i64::try_from(samples).is_err() {
            return Err(DataError {
                code: Code::OutOfRange,
                field: "data",
                message: format!("{samples} samples are more than an index can count"),
                remedy: format!("use at most {} samples", i64::MAX),
            });
        }
        let wrong = |code, message, remedy| DataError {
            code,
            field: "batch_size",
            message,
            remedy,
        };
        if batch_size == 0 {
            return Err(wrong(
                Code::OutOfRange,
                "the batch size is 0".to_owned(),
                "give a batch size of at least 1".to_owned(),
            ));
        }
        if u64::from(batch_size) > samples {
            return Err(wrong(
                Code::BatchLargerThanData,
                format!(
                    "the batch size {batch_size} is larger than the data, which has {samples} samples"
                ),
                format!("give a batch size of at most {samples}, or more data"),
            ));
        }
        let steps_per_epoch = if drop_last {
            samples / u64::from(batch_size)
        } else {
            samples.div_ceil(u64::from(batch_size))
        };
        Ok(Self {
            samples,
            batch_size,
            steps_per_epoch,
            shuffle: shuffle.then(|| Shuffle {
                domain: Domain::new(samples),
                seed,
                replica,
            }),
        })
    }

    /// Steps in an epoch, at least 1.
    #[must_use]
    pub fn steps_per_epoch(&self) -> u64 {
        self.steps_per_epoch
    }

    /// The epoch of a global step, from 0.
    #[must_use]
    pub fn epoch(&self, step: u64) -> u64 {
        step / self.steps_per_epoch
    }

    /// Samples in the batch of a global step: the batch size, or fewer at the end of an epoch.
    #[must_use]
    pub fn batch_len(&self, step: u64) -> u32 {
        let left = self.samples - self.first_position(step);
        u32::try_from(left).map_or(self.batch_size, |left| left.min(self.batch_size))
    }

    /// Clears `indices` and puts the samples of a global step's batch there, each from 0 to below
    /// the number of samples, in the order in which they are to be stacked.
    pub fn fill(&self, step: u64, indices: &mut Vec<i64>) {
        let first = self.first_position(step);
        let positions = first..first + u64::from(self.batch_len(step));
        indices.clear();
        match &self.shuffle {
            None => indices.extend(positions.map(u64::cast_signed)),
            Some(shuffle) => {
                let key = [shuffle.seed, u64::from(shuffle.replica), self.epoch(step)];
                let permutation = Permutation::new(shuffle.domain, key);
                indices.extend(positions.map(|p| permutation.apply(p).cast_signed()));
            }
        }
    }

    /// The samples of a global step's batch, as [`fill`](Self::fill).
    #[must_use]
    pub fn batch(&self, step: u64) -> Vec<i64> {
        let mut indices = Vec::new();
        self.fill(step, &mut indices);
        indices
    }

    /// Position within the epoch of the first sample of a step's batch.
    fn first_position(&self, step: u64) -> u64 {
        step % self.steps_per_epoch * u64::from(self.batch_size)
    }
}
