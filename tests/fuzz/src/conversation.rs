//! Messages and events in one input: a byte that says what comes, then what it needs.

use prost::Message;

/// What is left of an input.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    /// The next byte; `None` at the end.
    pub(crate) fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// The next message, which has its length before it; `None` where there is none.
    pub(crate) fn message<M: Message + Default>(&mut self) -> Option<M> {
        M::decode_length_delimited(&mut self.0).ok()
    }
}

/// An input in the making.
#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(crate) fn message(&mut self, message: &impl Message) {
        self.0.extend(message.encode_length_delimited_to_vec());
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }
}
