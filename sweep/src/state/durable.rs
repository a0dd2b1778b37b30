//! What of the state a log of happenings keeps.

use super::fencing::Holder;
use super::machine::State;
use super::message::SweepRequest;
use super::result::SweepResult;
use super::sweep::Sweep;
use super::work::Work;
use crate::event::{Failure, WorkKind};
use crate::ids::{Incarnation, LeaseToken, SweepId, WorkerId};
use std::collections::{BTreeMap, BTreeSet};

/// What of a sweep survives a restart: two states agree on it if their texts (`{:?}`) are the same.
/// Not by `==`, since NaN does not equal itself.
#[derive(Clone, Debug)]
pub struct Durable<'a> {
    #[expect(dead_code, reason = "read as text")]
    inner: Inner<'a>,
}

#[derive(Clone, Debug)]
#[expect(dead_code, reason = "read as text")]
struct Inner<'a> {
    id: &'a SweepId,
    request: &'a SweepRequest,
    events: u64,
    result: SweepResult,
    describe: &'a Work,
    probe: &'a Option<Work>,
    tasks: Vec<&'a Work>,
    last_failure: &'a Option<Failure>,
    leases: BTreeMap<LeaseToken, (WorkKind, &'a Holder)>,
    announced: &'a BTreeSet<WorkerId>,
    set_aside: &'a BTreeMap<WorkerId, Incarnation>,
}

impl State {
    /// What of a sweep survives a restart; `None` for an unknown one.
    #[must_use]
    pub fn durable(&self, sweep: &SweepId) -> Option<Durable<'_>> {
        let sweep = self.sweeps.get(sweep)?;
        let leases = self.leases.iter().filter(|(_, of)| of.sweep == sweep.id);
        let leases = leases.map(|(token, lease)| (*token, (lease.work, &lease.holder)));
        Some(Durable {
            inner: Inner {
                id: &sweep.id,
                request: &sweep.request,
                events: sweep.events,
                result: sweep.result(),
                describe: &sweep.describe,
                probe: &sweep.probe,
                tasks: sweep.tasks().collect(),
                last_failure: &sweep.last_failure,
                leases: leases.collect(),
                announced: &sweep.announced,
                set_aside: &sweep.set_aside,
            },
        })
    }

    /// The token of the last lease, which has to be kept beside the logs: those of sweeps that
    /// were forgotten no longer tell it.
    #[must_use]
    pub fn last_token(&self) -> LeaseToken {
        self.fence.last()
    }

    /// The valid leases and the processes that hold them.
    #[must_use]
    pub fn leases(&self) -> Vec<(LeaseToken, WorkerId, Incarnation)> {
        let leases = self.leases.iter();
        leases
            .map(|(token, lease)| {
                let Holder {
                    worker,
                    incarnation,
                } = lease.holder.clone();
                (*token, worker, incarnation)
            })
            .collect()
    }

    /// All sweeps that are known, by name.
    pub fn sweeps(&self) -> impl Iterator<Item = &SweepId> {
        self.sweeps.keys()
    }
}

impl Sweep {
    fn tasks(&self) -> impl Iterator<Item = &Work> {
        let tasks = self.replicas.iter().flat_map(|replica| &replica.tasks);
        tasks.map(|task| &task.work)
    }
}
