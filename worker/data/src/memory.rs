//! Memory of our own for elements: aligned, and asked for in a way that can fail.

use bytes::Bytes;

use crate::error::Defect;

/// Bytes that start at a multiple of 8, which suits every element.
pub(crate) struct AlignedBytes {
    words: Vec<u64>,
    length: usize,
}

impl AlignedBytes {
    /// No bytes yet.
    pub(crate) fn new() -> Self {
        Self {
            words: Vec::new(),
            length: 0,
        }
    }

    /// `length` zeros. The caller has checked that the length is real.
    ///
    /// # Errors
    /// When the memory is not there.
    pub(crate) fn zeroed(length: usize) -> Result<Self, Defect> {
        let mut bytes = Self::new();
        bytes.grow(length)?;
        Ok(bytes)
    }

    /// A copy.
    ///
    /// # Errors
    /// When the memory is not there.
    pub(crate) fn copy(source: &[u8]) -> Result<Self, Defect> {
        let mut bytes = Self::zeroed(source.len())?;
        bytes.as_mut().copy_from_slice(source);
        Ok(bytes)
    }

    /// Grows to `length` bytes, the new ones 0.
    ///
    /// # Errors
    /// When the memory is not there.
    pub(crate) fn grow(&mut self, length: usize) -> Result<(), Defect> {
        let words = length.div_ceil(size_of::<u64>());
        self.words
            .try_reserve_exact(words.saturating_sub(self.words.len()))
            .map_err(|_| Defect::memory(length))?;
        self.words.resize(words, 0);
        self.length = length;
        Ok(())
    }

    /// Gives back what is beyond the first `length` bytes; longer than it is, it never gets.
    pub(crate) fn shrink(&mut self, length: usize) {
        self.length = length.min(self.length);
        self.words.truncate(self.length.div_ceil(size_of::<u64>()));
        self.words.shrink_to_fit();
    }
}

impl AsRef<[u8]> for AlignedBytes {
    fn as_ref(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}

impl AsMut<[u8]> for AlignedBytes {
    fn as_mut(&mut self) -> &mut [u8] {
        &mut bytemuck::cast_slice_mut(&mut self.words)[..self.length]
    }
}

impl From<AlignedBytes> for Bytes {
    fn from(bytes: AlignedBytes) -> Self {
        Self::from_owner(bytes)
    }
}
