//! The rows of one file, and the line of each.

use ::csv::{ByteRecord, Reader, ReaderBuilder};

use crate::error::Defect;
use crate::names::cut;

/// What may stand before everything else: the byte order mark of UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads row by row.
pub(super) struct Rows<'a> {
    content: &'a [u8],
    reader: Reader<&'a [u8]>,
    /// Byte at which the search for the present row began.
    start: usize,
}

impl<'a> Rows<'a> {
    pub(super) fn new(content: &'a [u8]) -> Self {
        let content = content.strip_prefix(BYTE_ORDER_MARK).unwrap_or(content);
        let reader = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(content);
        Self {
            content,
            reader,
            start: 0,
        }
    }

    /// Reads the next row, and answers `false` when there is none. Empty lines are no rows.
    ///
    /// # Errors
    /// When the row is the last one for a quote that is never closed.
    pub(super) fn next(&mut self, row: &mut ByteRecord) -> Result<bool, Defect> {
        self.start = self.at();
        let found = self.reader.read_byte_record(row).map_err(|error| {
            Defect::damaged(format!("cannot be read: {}", cut(&error.to_string())))
        })?;
        // The reader takes the rest of the file for a cell.
        if found && self.at() == self.content.len() && ends_in_quotes(&self.content[self.start..]) {
            return Err(Defect::damaged(format!(
                "has a quote that is never closed in the row that begins on line {}",
                self.line()
            )));
        }
        Ok(found)
    }

    /// The line, from 1, on which the present row begins. Reads the file up to there.
    pub(super) fn line(&self) -> usize {
        let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
        // What ended the row before may be ahead still, and empty lines.
        let ahead = self.content[self.start..]
            .iter()
            .take_while(|byte| is_end(byte))
            .count();
        let before = &self.content[..self.start + ahead];
        let pairs = before.windows(2).filter(|&pair| pair == b"\r\n").count();
        1 + before.iter().filter(|byte| is_end(byte)).count() - pairs
    }

    fn at(&self) -> usize {
        let byte = self.reader.position().byte();
        usize::try_from(byte).map_or(self.content.len(), |byte| byte.min(self.content.len()))
    }
}

/// Whether a cell of a row is still within quotes at the end. As the reader has it, a quote opens a
/// cell only as its first character, and two quotes within are one.
fn ends_in_quotes(row: &[u8]) -> bool {
    #[derive(PartialEq)]
    enum State {
        Start,
        Plain,
        Quoted,
        /// After a quote in quotes: the end of them, or the first of two.
        Quote,
    }
    let mut state = State::Start;
    for byte in row {
        state = match (state, byte) {
            (State::Quoted, b'"') => State::Quote,
            (State::Quoted, _) | (State::Start | State::Quote, b'"') => State::Quoted,
            (_, b',' | b'\r' | b'\n') => State::Start,
            _ => State::Plain,
        };
    }
    state == State::Quoted
}
