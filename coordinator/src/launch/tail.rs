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
        while let Ok(buffer) = output.fill_buf().await {
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

#[cfg(test)]
mod tests {
    use super::*;

    async fn tail(output: &[u8]) -> String {
        let tail = Tail::default();
        tail.clone().follow("w0", output).await;
        tail.text()
    }

    #[tokio::test]
    async fn the_last_fifty_lines_are_kept_also_one_without_an_end() {
        let output: String = (0..60).map(|line| format!("line {line}\n")).collect();
        let kept = tail(format!("{output}the end").as_bytes()).await;
        let lines: Vec<_> = kept.lines().collect();
        assert_eq!(lines.len(), LINES);
        assert_eq!((lines[0], lines[LINES - 1]), ("line 11", "the end"));
    }

    #[tokio::test]
    async fn a_line_without_end_takes_bounded_memory_and_bytes_need_not_be_text() {
        let kept = tail(&vec![b'x'; 10 * LINE_BYTES]).await;
        assert_eq!(kept.len(), LINE_BYTES);
        assert_eq!(tail(b"a\xffb\n\n").await, "a\u{fffd}b");
    }
}
