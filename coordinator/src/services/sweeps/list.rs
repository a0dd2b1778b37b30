//! `ListSweeps`.

use super::super::status::Refusal;
use super::Sweeps;
use super::field::Field;
use crate::wire::sweeps as wire;
use rangefinder_access::{Operation, Principal};
use rangefinder_errors::Code;
use rangefinder_proto::v1;
use rangefinder_store::{ACTIVE, Filter, Position};

/// Sweeps on a page where nothing is said.
const PAGE: u32 = 100;
/// Most sweeps on a page.
const MAX_PAGE: u32 = 1000;

impl Sweeps {
    pub(super) async fn list(
        &self,
        caller: &Principal,
        request: v1::ListSweepsRequest,
    ) -> Result<v1::ListSweepsResponse, Refusal> {
        caller.may_ever(Operation::ListSweeps)?;
        let sees_all = caller.allowed(Operation::ReadSweep, None).is_ok();
        let owner = match (sees_all, request.owner.as_str()) {
            (true, "") => None,
            (true, owner) => Some(owner.to_owned()),
            (false, "") => Some(caller.name.clone()),
            (false, owner) if owner == caller.name => Some(caller.name.clone()),
            (false, _) => return Ok(v1::ListSweepsResponse::default()),
        };
        let (states, mut mistakes) = Wanted::of(&request.states);
        let start = position(&request.page_token).map_err(|mistake| mistakes.push(mistake));
        let mut after = match start {
            Ok(after) if mistakes.is_empty() => after,
            _ => return Err(Refusal::Fields(mistakes)),
        };
        let filter = Filter {
            owner,
            statuses: states.statuses(),
            ..Filter::default()
        };
        let limit = match request.page_size {
            0 => PAGE,
            size => size.min(MAX_PAGE),
        } as usize;
        // One more tells whether there is another page; where some are passed over, all are read.
        let at_a_time = match states.0.is_empty() && request.name_prefix.is_empty() {
            true => limit + 1,
            false => MAX_PAGE as usize,
        };
        let mut sweeps = Vec::new();
        loop {
            let page = self
                .catalogue
                .list(filter.clone(), after, at_a_time)
                .await?;
            let last = page.len() < at_a_time;
            for entry in page {
                let before = after.replace(entry.position);
                let named = entry.summary.name.starts_with(&request.name_prefix);
                let sweep = wire::sweep(&entry);
                if !named || !states.has(sweep.state()) {
                    continue;
                }
                if sweeps.len() == limit {
                    let next_page_token = before.map(token).unwrap_or_default();
                    return Ok(v1::ListSweepsResponse {
                        sweeps,
                        next_page_token,
                    });
                }
                sweeps.push(sweep);
            }
            if last {
                return Ok(v1::ListSweepsResponse {
                    sweeps,
                    next_page_token: String::new(),
                });
            }
        }
    }
}

/// The states that a list is to show.
struct Wanted(Vec<v1::SweepState>);

impl Wanted {
    /// Those that are known, and what is wrong with the others.
    fn of(numbers: &[i32]) -> (Self, Vec<Field>) {
        let (mut known, mut mistakes) = (Vec::new(), Vec::new());
        for number in numbers {
            match v1::SweepState::try_from(*number) {
                Ok(state) if state != v1::SweepState::Unspecified => known.push(state),
                _ => mistakes.push(Field::new(
                    "states",
                    Code::UnknownName,
                    format!("{number} is no state of a sweep"),
                    "name states of SweepState, or none for all",
                )),
            }
        }
        (Self(known), mistakes)
    }

    fn has(&self, state: v1::SweepState) -> bool {
        self.0.is_empty() || self.0.contains(&state)
    }

    /// The same as the store calls them; it does not tell waiting and running apart.
    fn statuses(&self) -> Vec<String> {
        let mut statuses: Vec<String> = self
            .0
            .iter()
            .map(|state| match wire::has_ended(*state) {
                true => wire::sweep_state_name(*state).to_owned(),
                false => ACTIVE.to_owned(),
            })
            .collect();
        statuses.dedup();
        statuses
    }
}

/// The place after which a page begins.
fn position(token: &str) -> Result<Option<Position>, Field> {
    if token.is_empty() {
        return Ok(None);
    }
    let parts = token.split_once('.');
    let read = parts.and_then(|(created_ms, key)| {
        Some(Position {
            created_ms: created_ms.parse().ok()?,
            key: key.parse().ok()?,
        })
    });
    let wrong = || {
        Field::new(
            "page_token",
            Code::UnknownName,
            "is none that this service has given".to_owned(),
            "give `next_page_token` of the page before, or nothing for the first page",
        )
    };
    read.map(Some).ok_or_else(wrong)
}

fn token(position: Position) -> String {
    format!("{}.{}", position.created_ms, position.key)
}
