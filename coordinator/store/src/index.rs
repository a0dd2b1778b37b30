//! What has been appended, written or not: enough to refuse at once what does not fit to it.

use crate::change::Change;
use crate::error::Refused;
use crate::record::{ACTIVE, LAST_NUMBER};
use std::collections::HashMap;
use std::sync::Arc;

/// Bytes of the largest value. SQLite takes 1 GB, a row's other columns included.
const MAX_BYTES: usize = 512 << 20;

/// Bytes of the longest id, owner, request, status or name.
const MAX_TEXT: usize = 4096;

/// Owner and request id.
type Request = Arc<(String, String)>;

/// What is known of a sweep.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Number of its next event.
    pub(crate) next: u64,
    /// Whether it has ended.
    pub(crate) ended: bool,
    /// The request that made it, if it has an id.
    pub(crate) request: Option<Request>,
}

/// All sweeps of the store.
#[derive(Debug, Default)]
pub(crate) struct Index {
    sweeps: HashMap<String, Known>,
    requests: HashMap<Request, String>,
}

/// What a batch makes of the sweeps that it names; `None` for one that it deletes.
type Staged = HashMap<String, Option<Known>>;

impl Index {
    /// Adds a sweep that is in the store.
    pub(crate) fn insert(&mut self, id: String, known: Known) {
        if let Some(request) = &known.request {
            self.requests.insert(Arc::clone(request), id.clone());
        }
        self.sweeps.insert(id, known);
    }

    /// Takes a batch in, as a whole or not at all.
    pub(crate) fn admit(&mut self, changes: &[Change]) -> Result<(), Refused> {
        let mut staged = Staged::new();
        for change in changes {
            self.stage(&mut staged, change)?;
        }
        for (id, known) in staged {
            if let Some(request) = self.sweeps.remove(&id).and_then(|known| known.request) {
                self.requests.remove(&request);
            }
            if let Some(known) = known {
                self.insert(id, known);
            }
        }
        Ok(())
    }

    fn stage(&self, staged: &mut Staged, change: &Change) -> Result<(), Refused> {
        match change {
            Change::Create {
                id,
                owner,
                request_id,
                spec,
                ..
            } => {
                fits(&[id, owner, request_id], &[spec])?;
                if self.find(staged, id).is_ok() {
                    return Err(Refused::SweepTaken { sweep: id.clone() });
                }
                let request =
                    (!request_id.is_empty()).then(|| Arc::new((owner.clone(), request_id.clone())));
                if let Some(sweep) = request
                    .as_ref()
                    .and_then(|request| self.sweep_of(staged, request))
                {
                    let request_id = request_id.clone();
                    return Err(Refused::RequestTaken { request_id, sweep });
                }
                let known = Known {
                    next: 1,
                    ended: false,
                    request,
                };
                staged.insert(id.clone(), Some(known));
            }
            Change::Event {
                sweep,
                number,
                payload,
                ..
            } => {
                fits(&[], &[payload])?;
                let mut known = self.find(staged, sweep)?;
                if *number != known.next {
                    return Err(Refused::WrongNumber {
                        sweep: sweep.clone(),
                        expected: known.next,
                        given: *number,
                    });
                }
                if *number > LAST_NUMBER {
                    let what = format!("event {number} of sweep {sweep}");
                    return Err(Refused::TooLarge { what });
                }
                known.next += 1;
                staged.insert(sweep.clone(), Some(known));
            }
            Change::End {
                sweep,
                status,
                summary,
                ..
            } => {
                fits(&[status], &[summary])?;
                let mut known = self.find(staged, sweep)?;
                if known.ended || status == ACTIVE {
                    let sweep = sweep.clone();
                    return Err(Refused::AlreadyEnded { sweep });
                }
                known.ended = true;
                staged.insert(sweep.clone(), Some(known));
            }
            Change::Document {
                sweep,
                summary,
                document,
            } => {
                fits(&[], &[summary, document])?;
                self.find(staged, sweep)?;
            }
            Change::Delete { sweep } => {
                self.find(staged, sweep)?;
                staged.insert(sweep.clone(), None);
            }
            Change::Counter { name, value } => {
                fits(&[name], &[])?;
                if i64::try_from(*value).is_err() {
                    let what = format!("counter {name}");
                    return Err(Refused::TooLarge { what });
                }
            }
        }
        Ok(())
    }

    fn find(&self, staged: &Staged, sweep: &str) -> Result<Known, Refused> {
        staged
            .get(sweep)
            .map_or_else(|| self.sweeps.get(sweep), Option::as_ref)
            .cloned()
            .ok_or_else(|| Refused::UnknownSweep {
                sweep: sweep.to_owned(),
            })
    }

    /// The sweep that a request has made.
    fn sweep_of(&self, staged: &Staged, request: &Request) -> Option<String> {
        let made = |known: &Known| known.request.as_ref() == Some(request);
        let new = staged
            .iter()
            .find(|(_, known)| known.as_ref().is_some_and(made))
            .map(|(id, _)| id);
        new.or_else(|| {
            self.requests
                .get(request)
                .filter(|id| !matches!(staged.get(*id), Some(None)))
        })
        .cloned()
    }
}

fn fits(texts: &[&String], values: &[&Vec<u8>]) -> Result<(), Refused> {
    let what = if let Some(text) = texts.iter().find(|text| text.len() > MAX_TEXT) {
        format!("a text of {} bytes", text.len())
    } else if let Some(value) = values.iter().find(|value| value.len() > MAX_BYTES) {
        format!("a value of {} bytes", value.len())
    } else {
        return Ok(());
    };
    Err(Refused::TooLarge { what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn create(id: &str, request_id: &str) -> Change {
        Change::Create {
            id: id.to_owned(),
            owner: "ann".to_owned(),
            request_id: request_id.to_owned(),
            unix_ms: 0,
            spec: Vec::new(),
        }
    }

    fn event(sweep: &str, number: u64) -> Change {
        Change::Event {
            sweep: sweep.to_owned(),
            number,
            unix_ms: 0,
            payload: Vec::new(),
        }
    }

    fn delete(sweep: &str) -> Change {
        let sweep = sweep.to_owned();
        Change::Delete { sweep }
    }

    fn end(sweep: &str) -> Change {
        Change::End {
            sweep: sweep.to_owned(),
            unix_ms: 0,
            status: "done".to_owned(),
            summary: Vec::new(),
        }
    }

    #[test]
    fn only_the_next_number_is_taken_and_a_refused_batch_leaves_no_trace() {
        let mut index = Index::default();
        index.admit(&[create("a", ""), event("a", 1)]).unwrap();
        let refused = index.admit(&[event("a", 2), event("a", 4)]).unwrap_err();
        let (sweep, expected, given) = ("a".to_owned(), 3, 4);
        assert_eq!(
            refused,
            Refused::WrongNumber {
                sweep,
                expected,
                given
            }
        );
        index.admit(&[event("a", 2)]).unwrap();
        index.admit(&[event("a", 2)]).unwrap_err();
        index.admit(&[event("b", 1)]).unwrap_err();
    }

    #[test]
    fn a_request_makes_one_sweep_until_that_is_deleted() {
        let mut index = Index::default();
        index
            .admit(&[create("a", "r"), create("b", ""), create("c", "")])
            .unwrap();
        let (request_id, sweep) = ("r".to_owned(), "a".to_owned());
        let taken = Refused::RequestTaken { request_id, sweep };
        assert_eq!(index.admit(&[create("d", "r")]), Err(taken.clone()));
        assert_eq!(
            index.admit(&[delete("a"), create("d", "r"), create("e", "r")]),
            Err(Refused::RequestTaken {
                request_id: "r".to_owned(),
                sweep: "d".to_owned()
            })
        );
        assert_eq!(index.admit(&[create("d", "r")]), Err(taken));
        index.admit(&[delete("a"), create("d", "r")]).unwrap();
        index.admit(&[event("a", 1)]).unwrap_err();
        index.admit(&[delete("d")]).unwrap();
        index.admit(&[create("e", "r")]).unwrap();
    }

    #[test]
    fn a_sweep_ends_once_and_goes_on_logging() {
        let mut index = Index::default();
        index
            .admit(&[create("a", ""), end("a"), event("a", 1)])
            .unwrap();
        let sweep = "a".to_owned();
        assert_eq!(
            index.admit(&[event("a", 2), end("a")]),
            Err(Refused::AlreadyEnded { sweep })
        );
        index.admit(&[event("a", 2)]).unwrap();
    }

    #[test]
    fn numbers_beyond_those_of_the_database_are_refused() {
        let mut index = Index::default();
        let (name, value) = ("tokens".to_owned(), u64::MAX);
        let counter = Change::Counter { name, value };
        assert!(matches!(
            index.admit(&[counter]),
            Err(Refused::TooLarge { .. })
        ));
    }
}
