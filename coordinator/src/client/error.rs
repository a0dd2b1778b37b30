//! What goes wrong between a client and a service, and the one place where statuses become it.

use crate::exit;
use crate::wire::fields;
use rangefinder_errors::{Code, Coded};
use rangefinder_sweep::event::FieldError;
use std::error::Error as _;
use std::fmt;
use tonic::Status;
use tonic_types::StatusExt as _;

/// Longest text of another program that is repeated to people, in characters.
const LONGEST: usize = 2000;

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for is wrong, and would be the next time.
    Input,
    /// The service is not there, or the connection is lost: worth another attempt.
    Away,
    /// The service is there and says no, or fails.
    Refused,
}

/// Why something could not be had from a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of trouble.
    pub kind: Kind,
    /// Its code.
    pub code: Code,
    /// What is wrong.
    pub message: String,
    /// What to do; may be empty.
    pub remedy: String,
    /// The fields at fault, where the service named some; then they say it all.
    pub fields: Vec<FieldError>,
}

impl Error {
    /// One without fields.
    #[must_use]
    pub fn new(
        kind: Kind,
        code: Code,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            remedy: remedy.into(),
            fields: Vec::new(),
        }
    }

    /// The exit code of a program that ends with it.
    #[must_use]
    pub fn exit(&self) -> u8 {
        let wanted = match self.kind {
            Kind::Input => exit::WRONG_INPUT,
            Kind::Away | Kind::Refused => exit::FAILED,
        };
        let documented = self.code.exits();
        match documented.first() {
            Some(first) if !documented.contains(&wanted) => *first,
            _ => wanted,
        }
    }

    /// What a status of a call to `server` means.
    pub(super) fn of(status: &Status, server: &str) -> Self {
        if let Some(away) = away(status, server) {
            return away;
        }
        let details = status.get_error_details();
        let fields: Vec<_> = details
            .bad_request()
            .iter()
            .flat_map(|bad| &bad.field_violations)
            .map(fields::read)
            .map(|error| FieldError {
                code: error.code,
                field: clean(&error.field),
                message: clean(&error.message),
                remedy: clean(&error.remedy),
            })
            .collect();
        let told = details
            .error_info()
            .and_then(|info| info.metadata.get("code"))
            .and_then(|code| Code::parse(code));
        let text = said(status);
        let (kind, code, message, remedy) = match status.code() {
            tonic::Code::InvalidArgument => {
                (Kind::Input, Code::ServiceRefused, text, String::new())
            }
            tonic::Code::Unauthenticated => (
                Kind::Refused,
                Code::TokenRefused,
                format!("{server} does not accept the token: {text}"),
                "give the token that the operator of the service made for you, with --token-file \
                 FILE or in RANGEFINDER_TOKEN"
                    .to_owned(),
            ),
            tonic::Code::PermissionDenied => (
                Kind::Refused,
                Code::Forbidden,
                format!("{server} does not permit this: {text}"),
                "use a token that permits it, such as an admin's".to_owned(),
            ),
            tonic::Code::NotFound => (
                Kind::Input,
                Code::NotThere,
                text,
                "`coordinator list` shows the sweeps that you may see, `coordinator workers` the \
                 workers"
                    .to_owned(),
            ),
            tonic::Code::FailedPrecondition | tonic::Code::AlreadyExists => (
                Kind::Input,
                Code::NotInThatState,
                text,
                "`coordinator show ID` tells the state of a sweep, `coordinator workers` that of \
                 the workers"
                    .to_owned(),
            ),
            tonic::Code::Unimplemented => (
                Kind::Refused,
                Code::ServiceRelease,
                format!("{server} does not know this call: {text}"),
                "install the same release of service and client, and check the address".to_owned(),
            ),
            tonic::Code::ResourceExhausted => (
                Kind::Refused,
                Code::ServiceLimit,
                format!("{server} is at a limit: {text}"),
                "try it later, ask for less, or have the operator raise the limit".to_owned(),
            ),
            tonic::Code::DeadlineExceeded => return Self::silent(server, &text),
            other => (
                Kind::Refused,
                Code::ServiceFailed,
                format!("{server} failed: {text} ({other:?})"),
                "try it again; the log of the service says more".to_owned(),
            ),
        };
        Self {
            fields,
            ..Self::new(kind, told.unwrap_or(code), message, remedy)
        }
    }

    /// The service is connected and does not answer.
    pub(super) fn silent(server: &str, why: &str) -> Self {
        Self::new(
            Kind::Away,
            Code::ServiceTimeout,
            format!("{server} does not answer: {why}"),
            "ask the operator of the service, or wait longer with --timeout SECONDS",
        )
    }

    /// A message of the service means nothing here.
    pub(super) fn release(server: &str, what: &dyn fmt::Display) -> Self {
        Self::new(
            Kind::Refused,
            Code::ServiceRelease,
            format!("{server} says what means nothing here: {what}"),
            "install the same release of service and client",
        )
    }
}

/// The service is away, or TLS stands between: statuses that no service has sent, and
/// `Unavailable`, which a service that stops sends too.
fn away(status: &Status, server: &str) -> Option<Error> {
    let of_transport = status.source().is_some();
    if !of_transport && status.code() != tonic::Code::Unavailable {
        return None;
    }
    let reason = innermost(status);
    if let Some(tls) = rangefinder_access::explain(status) {
        return Some(Error::new(
            Kind::Refused,
            tls.code,
            format!("{server}: {}", tls.message),
            tls.remedy,
        ));
    }
    Some(Error::new(
        Kind::Away,
        Code::ServiceUnreachable,
        format!("{server} cannot be reached: {reason}"),
        "check that the service runs there (`coordinator serve`), the address, and firewalls on \
         the way",
    ))
}

/// What the causes of an error say, the last one of them.
fn innermost(status: &Status) -> String {
    let mut text = said(status);
    let mut cause = status.source();
    while let Some(error) = cause {
        let own = error.to_string();
        if !own.is_empty() {
            text = own;
        }
        cause = error.source();
    }
    // `(os error 111)` is no word for people.
    let plain = text.split(" (os error").next().unwrap_or_default();
    plain.to_lowercase().trim().to_owned()
}

/// The words of a status.
fn said(status: &Status) -> String {
    let text = status.message().trim();
    match text {
        "" => format!("it says {:?} without a word", status.code()),
        text => clean(text),
    }
}

/// Text of another program without characters that a terminal would obey.
fn clean(text: &str) -> String {
    let visible = |c: char| if c.is_control() && c != '\n' { ' ' } else { c };
    text.chars().take(LONGEST).map(visible).collect()
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if self.remedy.is_empty() {
            return Ok(());
        }
        write!(f, "\n  {}", self.remedy)
    }
}

impl std::error::Error for Error {}

impl Coded for Error {
    fn code(&self) -> Code {
        self.code
    }
}
