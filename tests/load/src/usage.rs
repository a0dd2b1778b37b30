//! What a process takes of the machine, as Linux says in `/proc`.

use crate::{Error, failed};
use std::time::Duration;

/// Ticks a second of the CPU times in `/proc`: the same on all of Linux's architectures.
const TICKS: u64 = 100;

/// What a process has taken so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// CPU time of all its threads, to 10 ms.
    pub cpu: Duration,
    /// The most memory that was ever resident, in bytes.
    pub peak_rss_bytes: u64,
}

impl Usage {
    /// Of a process that runs.
    ///
    /// # Errors
    /// When there is none, or this is not Linux.
    pub fn of(process: u32) -> Result<Self, Error> {
        let read = |file: &str| {
            let path = format!("/proc/{process}/{file}");
            std::fs::read_to_string(&path).map_err(failed(&path))
        };
        let odd = || Error::new(format!("/proc/{process}"), "its text is not Linux's");
        // The program's name, in parentheses, may have spaces.
        let stat = read("stat")?;
        let (_, fields) = stat.rsplit_once(')').ok_or_else(odd)?;
        // User and system time are the 14th and 15th field, of which two are cut off.
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: Option<u64> = ticks.map(|field| field.parse::<u64>().ok()).sum();
        let status = read("status")?;
        let peak = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|text| text.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        Ok(Self {
            cpu: Duration::from_millis(ticks.ok_or_else(odd)? * 1000 / TICKS),
            peak_rss_bytes: peak.ok_or_else(odd)? * 1024,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_and_fills_memory_is_seen_to() {
        let before = Usage::of(std::process::id()).unwrap();
        let mut filled = vec![0_u64; 8 << 20];
        let mut after = before;
        let mut sum = 0_u64;
        while after.cpu < before.cpu + Duration::from_millis(50) {
            for (place, number) in filled.iter_mut().zip(sum..) {
                *place = number;
                sum = sum.wrapping_add(*place);
            }
            after = Usage::of(std::process::id()).unwrap();
        }
        assert!(
            after.peak_rss_bytes >= before.peak_rss_bytes.max(64 << 20),
            "{sum} {after:?}"
        );
        assert!(Usage::of(u32::MAX).is_err());
    }
}
