//! Names of things, so that one kind is never taken for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A sweep, unique within a coordinator.
    SweepId(String)
);
id!(
    /// A worker, stable over its reconnections.
    WorkerId(String)
);
id!(
    /// A task, its index in the plan.
    #[derive(Copy)]
    TaskId(u32)
);
id!(
    /// A process of a worker: drawn anew at every start.
    #[derive(Copy, Default)]
    Incarnation(u64)
);
id!(
    /// The right to run one attempt; grows with every grant, so an older one is known to be stale.
    #[derive(Copy, Default)]
    LeaseToken(u64)
);
