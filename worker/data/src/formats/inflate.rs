//! Compressed bytes, unpacked without trust in what they claim.

use rangefinder_errors::Code;
use std::io::Read;

use crate::error::Defect;
use crate::memory::AlignedBytes;

/// Bytes that one array may always inflate to.
const ALLOWANCE_BYTES: u64 = 1 << 30;

/// How many times its compressed size a larger array may have. Deflate reaches 1,032, with nothing
/// but one value; images and text stay below 20.
const MAX_RATIO: u64 = 200;

/// Memory asked for at first, before there is proof that it will be filled.
const FIRST_BYTES: usize = 1 << 20;

/// Reads to its end what should be `claimed` bytes that were compressed to `compressed`, and with
/// it the check sum. Memory grows with what has really come out, whatever is claimed.
///
/// # Errors
/// When a claim is beyond reason, naming `instead` as the remedy, or when it is not true.
pub(super) fn inflate(
    mut reader: impl Read,
    claimed: u64,
    compressed: u64,
    instead: &str,
) -> Result<AlignedBytes, Defect> {
    if claimed > ALLOWANCE_BYTES && claimed / MAX_RATIO > compressed {
        return Err(Defect::new(
            Code::DataMemory,
            format!(
                "claims to hold {claimed} bytes in {compressed}, more than {MAX_RATIO} times as many"
            ),
            format!("if it is no mistake, {instead}"),
        ));
    }
    let size = usize::try_from(claimed).map_err(|_| Defect::memory(usize::MAX))?;
    // What the file's own length vouches for is asked for at once.
    let vouched = usize::try_from(compressed).map_or(FIRST_BYTES, |n| n.saturating_mul(2));
    let mut bytes = AlignedBytes::new();
    let mut filled = 0;
    while filled < size {
        if filled == bytes.as_ref().len() {
            let next = filled.saturating_mul(2).max(vouched).max(FIRST_BYTES);
            bytes.grow(next.min(size))?;
        }
        match reader.read(&mut bytes.as_mut()[filled..]) {
            Ok(0) => {
                return Err(Defect::damaged(format!(
                    "ends after {filled} bytes where {size} are claimed"
                )));
            }
            Ok(read) => filled += read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(damaged_at(filled, &error)),
        }
    }
    match reader.read(&mut [0]) {
        Ok(0) => Ok(bytes),
        Ok(_) => Err(Defect::damaged(format!(
            "goes on after the {size} bytes that are claimed"
        ))),
        Err(error) => Err(damaged_at(filled, &error)),
    }
}

/// What was unpacked is wrong after `byte` bytes.
pub(super) fn damaged_at(byte: usize, error: &std::io::Error) -> Defect {
    Defect::damaged(format!("cannot be unpacked past byte {byte}: {error}"))
}
