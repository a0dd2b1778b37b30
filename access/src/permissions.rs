//! What each role may do: one table.

use rangefinder_errors::{Code, Coded};
use serde::{Deserialize, Serialize};
use std::fmt;

use crate::TokenId;

/// For what a token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Creates sweeps and sees its own.
    Client,
    /// Runs tasks.
    Worker,
    /// Sees and ends the sweeps of all, and drains workers.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 3] = [Self::Client, Self::Worker, Self::Admin];

    /// As it is written in files, tokens and messages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Worker => "worker",
            Self::Admin => "admin",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who calls: the holder of a token that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Which token.
    pub id: TokenId,
    /// Whose token. Sweeps belong to this name, so that they stay with who has got a new token.
    pub name: String,
    /// What the token is for.
    pub role: Role,
}

/// How far a role permits an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// Not at all.
    Never,
    /// On what belongs to the caller.
    Own,
    /// On everything.
    Any,
}

/// Makes the operations, and the table of what roles may do.
macro_rules! operations {
    ($($(#[doc = $doc:literal])+ $name:ident, $what:literal, [$client:ident, $worker:ident, $admin:ident], [$($rpc:literal),*];)+) => {
        /// What may be permitted or not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Operation {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Operation {
            /// All operations.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// How far `role` permits it.
            #[must_use]
            pub const fn grant(self, role: Role) -> Grant {
                match (self, role) {
                    $((Self::$name, Role::Client) => Grant::$client,
                    (Self::$name, Role::Worker) => Grant::$worker,
                    (Self::$name, Role::Admin) => Grant::$admin,)+
                }
            }

            /// What it is, as a fragment that fits after "may not".
            #[must_use]
            pub const fn describe(self) -> &'static str {
                match self { $(Self::$name => $what,)+ }
            }

            /// The calls that need it, as `Service/Method` of `rangefinder.v1`.
            #[must_use]
            pub const fn rpcs(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($rpc),*],)+ }
            }
        }
    };
}

operations! {
    /// Creating a sweep, which will be the caller's.
    CreateSweep, "create sweeps", [Any, Never, Any], ["SweepService/CreateSweep"];
    /// Reading a sweep, its events and its result; judging its curve by another method.
    ReadSweep, "read sweeps", [Own, Never, Any],
        ["SweepService/GetSweep", "SweepService/WatchSweep", "SweepService/Suggest"];
    /// Listing sweeps: those that [`Principal::sees`].
    ListSweeps, "list sweeps", [Any, Never, Any], ["SweepService/ListSweeps"];
    /// Ending a sweep.
    CancelSweep, "cancel sweeps", [Own, Never, Any], ["SweepService/CancelSweep"];
    /// Deleting a sweep with its results.
    DeleteSweep, "delete sweeps", [Own, Never, Any], ["SweepService/DeleteSweep"];
    /// Judging a curve that comes with the call.
    AnalyzeCurve, "have curves judged", [Any, Never, Any], ["SweepService/AnalyzeCurve"];
    /// Seeing which workers there are.
    ListWorkers, "list workers", [Any, Never, Any], ["SweepService/ListWorkers"];
    /// Sending a worker away once its task is done.
    DrainWorker, "drain workers", [Never, Never, Any], ["SweepService/DrainWorker"];
    /// Taking tasks and reporting losses.
    ConnectWorker, "act as a worker", [Never, Any, Never], ["WorkerService/Connect"];
    /// Bringing a model or data, which will be the caller's.
    UploadArtifact, "upload artifacts", [Any, Never, Any],
        ["ArtifactService/UploadArtifact"];
    /// Reading a model or data.
    ReadArtifact, "read artifacts", [Own, Any, Any],
        ["ArtifactService/GetArtifact", "ArtifactService/DownloadArtifact"];
}

impl Operation {
    /// What the call of that path needs, such as `/rangefinder.v1.SweepService/GetSweep`; nothing
    /// for a path that is none of the API, which is then to be refused.
    #[must_use]
    pub fn of_rpc(path: &str) -> Option<Self> {
        let call = path.strip_prefix("/rangefinder.v1.")?;
        let known = |operation: &&Self| operation.rpcs().contains(&call);
        Self::ALL.iter().find(known).copied()
    }
}

impl Principal {
    /// Whether this may be done, to something that belongs to `owner`: the name of a principal, or
    /// nothing where the operation is not on a thing of somebody's.
    ///
    /// # Errors
    /// [`Denied::Role`] when the role never permits it, [`Denied::NotYours`] when it permits it only
    /// on one's own.
    pub fn allowed(&self, operation: Operation, owner: Option<&str>) -> Result<(), Denied> {
        match operation.grant(self.role) {
            Grant::Any => Ok(()),
            Grant::Own if owner == Some(self.name.as_str()) => Ok(()),
            Grant::Own => Err(Denied::NotYours),
            Grant::Never => Err(Denied::Role {
                role: self.role,
                operation,
            }),
        }
    }

    /// Whether the role permits the operation on anything at all: what can be said before it is
    /// known on what.
    ///
    /// # Errors
    /// [`Denied::Role`].
    pub fn may_ever(&self, operation: Operation) -> Result<(), Denied> {
        self.allowed(operation, Some(&self.name))
    }

    /// Whether a list shows what belongs to `owner`.
    #[must_use]
    pub fn sees(&self, owner: &str) -> bool {
        self.allowed(Operation::ReadSweep, Some(owner)).is_ok()
    }
}

/// Why a call is refused. Never holds what the caller presented.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No token came with the call.
    #[error("expected a token as `authorization: Bearer ...`")]
    Missing,
    /// The token is not known; or its id is, and its secret is not the right one.
    #[error("the token is none of this coordinator's")]
    Unknown,
    /// The token was revoked.
    #[error("token {0} was revoked; ask the operator for a new one")]
    Revoked(TokenId),
    /// The token has expired.
    #[error("token {0} has expired; ask the operator for a new one")]
    Expired(TokenId),
    /// The role does not permit it.
    #[error("a token of the role {role} may not {}", operation.describe())]
    Role {
        /// Whose role.
        role: Role,
        /// What it would have done.
        operation: Operation,
    },
    /// It belongs to another. To be answered word for word as what does not exist, so that ids of
    /// others cannot be found out.
    #[error("there is none of that name among yours")]
    NotYours,
}

/// How a refusal is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeniedKind {
    /// The caller is nobody: gRPC's `UNAUTHENTICATED`, HTTP's 401.
    Unauthenticated,
    /// The caller may not: gRPC's `PERMISSION_DENIED`, HTTP's 403.
    Forbidden,
    /// The caller may not know whether it exists: gRPC's `NOT_FOUND`, HTTP's 404.
    NotFound,
}

impl Denied {
    /// How it is answered.
    #[must_use]
    pub const fn kind(&self) -> DeniedKind {
        match self {
            Self::Missing | Self::Unknown | Self::Revoked(_) | Self::Expired(_) => {
                DeniedKind::Unauthenticated
            }
            Self::Role { .. } => DeniedKind::Forbidden,
            Self::NotYours => DeniedKind::NotFound,
        }
    }
}

impl Coded for Denied {
    fn code(&self) -> Code {
        match self.kind() {
            DeniedKind::Unauthenticated => Code::TokenRefused,
            DeniedKind::Forbidden | DeniedKind::NotFound => Code::Forbidden,
        }
    }
}
