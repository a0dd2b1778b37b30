//! The last lines that a process wrote.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _};

/// Lines that are kept.
const LINES: usize = 50;
/// Bytes of a line that are kept.
const LINE_BYTES: usize = 2048;

/// The last lines of a process, its two outputs in order of arrival.
#[derive(Clone, Debug, Default)]
pub(super) struct Tail(Arc<Mutex<VecDeque<String>>>);

impl Tail {
    /// Reads an output to its end, in bounded memory whatever comes. `worker` is named in the log.
    pub(super) async fn follow(self, worker: &str, mut output: impl AsyncBufRead + Unpin) {
        let mut line = Vec::new();
        loop {
            let Ok(buffer) = output.fill_buf().await else {
                break;
            };
            if buffer.is_empty() {
                break;
            }
            let (length, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), false),
            };
            let room = LINE_BYTES.saturating_sub(line.len());
            line.extend(buffer.iter().take(length.min(room)));
            output.consume(length);
            if ended {
                self.keep(worker, &mut line);
            }
        }
        self.keep(worker, &mut line);
    }

    /// The lines, oldest first.
    pub(super) fn text(&self) -> String {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Vec::from_iter(lines.iter().map(String::as_str)).join("\n")
    }

    fn keep(&self, worker: &str, line: &mut Vec<u8>) {
        let text = String::from_utf8_lossy(line).trim_end().to_owned();
        line.clear();
        if text.is_empty() {
            return;
        }
        tracing::debug!(target: "worker", worker, "{text}");
        let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.len() == LINES {
            lines.pop_front();
        }
        lines.push_back(text);
    }
}
