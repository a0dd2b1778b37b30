//! What can be written.

/// Called once, on the writer's thread, when all changes of a batch are on disk. It delays what is
/// written next, so it should only pass the news on.
pub type OnDurable = Box<dyn FnOnce() + Send>;

/// One change; a batch of them is written as a whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new sweep.
    Create {
        /// Its id, unique in the store.
        id: String,
        /// Who it belongs to.
        owner: String,
        /// The request that made it, unique for its owner; empty for none.
        request_id: String,
        /// When, in milliseconds since 1970.
        unix_ms: i64,
        /// What the caller needs to make it anew.
        spec: Vec<u8>,
    },
    /// The next event of a sweep, whether that has ended or not.
    Event {
        /// The sweep.
        sweep: String,
        /// Its number: 1 for the first, then one more each.
        number: u64,
        /// When, in milliseconds since 1970.
        unix_ms: i64,
        /// What happened.
        payload: Vec<u8>,
    },
    /// The end of a sweep.
    End {
        /// The sweep.
        sweep: String,
        /// When, in milliseconds since 1970.
        unix_ms: i64,
        /// How, as lists filter by it; any word but [`crate::ACTIVE`].
        status: String,
        /// What lists show of it: small.
        summary: Vec<u8>,
    },
    /// The result of a sweep, which takes the place of an earlier one.
    Document {
        /// The sweep.
        sweep: String,
        /// What lists show of it: small.
        summary: Vec<u8>,
        /// The result.
        document: Vec<u8>,
    },
    /// Removes a sweep with all that belongs to it.
    Delete {
        /// The sweep.
        sweep: String,
    },
    /// Raises a counter; a value that is not above the present one changes nothing.
    Counter {
        /// Its name.
        name: String,
        /// Its value, below 2^63.
        value: u64,
    },
}

impl Change {
    /// About the bytes that it takes in the queue and on disk.
    pub(crate) fn bytes(&self) -> usize {
        /// What a change takes beside its texts.
        const FIXED: usize = 64;
        FIXED
            + match self {
                Self::Create {
                    id,
                    owner,
                    request_id,
                    spec,
                    ..
                } => id.len() + owner.len() + request_id.len() + spec.len(),
                Self::Event { sweep, payload, .. } => sweep.len() + payload.len(),
                Self::End { sweep, summary, .. } => sweep.len() + summary.len(),
                Self::Document {
                    sweep,
                    summary,
                    document,
                } => sweep.len() + summary.len() + document.len(),
                Self::Delete { sweep } => sweep.len(),
                Self::Counter { name, .. } => name.len(),
            }
    }
}
