//! One connection to the coordinator.

use crate::dial::{dial, words};
use crate::error::Error;
use crate::options::Options;
use crate::turn::Closed;
use rangefinder_proto::v1;
use rangefinder_proto::v1::worker_service_client::WorkerServiceClient;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::task::AbortOnDropHandle;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// Messages that wait for the network before the session holds back.
const OUTBOUND: usize = 16;
/// Messages that wait for the session before the network is held back.
const INBOUND: usize = 64;

/// The largest message that is taken in: an Assign with a learning rate for each of a million steps.
const MAX_MESSAGE_BYTES: usize = 64 << 20;

/// Why a stream was ended when another process of the same name opened one.
const REPLACED: &str = "REPLACED";

/// What a connection brings.
#[derive(Debug)]
pub(crate) enum LinkEvent {
    Message(Box<v1::ConnectResponse>),
    Closed(Closed),
}

/// A connection, made and read by a task of its own; dropping it hangs up.
pub(crate) struct Link {
    outbound: mpsc::Sender<v1::ConnectRequest>,
    inbound: mpsc::Receiver<LinkEvent>,
    task: AbortOnDropHandle<()>,
}

impl Link {
    /// Begins to connect; `hello` is the first message.
    pub(crate) fn dial(options: &Options, hello: v1::Hello) -> Self {
        let (outbound, requests) = mpsc::channel(OUTBOUND);
        let (events, inbound) = mpsc::channel(INBOUND);
        let first = v1::ConnectRequest {
            message: Some(v1::connect_request::Message::Hello(hello)),
        };
        let queued = outbound.try_send(first);
        debug_assert!(queued.is_ok(), "a new channel has room");
        let options = options.clone();
        let task = AbortOnDropHandle::new(tokio::spawn(async move {
            let closed = talk(&options, requests, &events).await;
            let _session_is_gone = events.send(LinkEvent::Closed(closed)).await;
        }));
        Self {
            outbound,
            inbound,
            task,
        }
    }

    /// What the connection brings next. Safe to cancel.
    pub(crate) async fn next(&mut self) -> LinkEvent {
        let lost = || LinkEvent::Closed(Closed::Lost("the connection ended".to_owned()));
        self.inbound.recv().await.unwrap_or_else(lost)
    }

    /// A handle for [`room`].
    pub(crate) fn outbound(&self) -> mpsc::Sender<v1::ConnectRequest> {
        self.outbound.clone()
    }

    /// Room for one message, if there is any.
    pub(crate) fn try_reserve(&self) -> Option<mpsc::Permit<'_, v1::ConnectRequest>> {
        self.outbound.try_reserve().ok()
    }

    /// Says all that was sent, then hangs up; waits no longer than `patience` for the coordinator.
    pub(crate) async fn close(self, patience: Duration) {
        let Self {
            outbound,
            mut inbound,
            task,
        } = self;
        drop(outbound);
        let drained = async { while inbound.recv().await.is_some() {} };
        let _late = tokio::time::timeout(patience, drained).await;
        drop(task);
    }
}

/// Waits until there is room for a message. Safe to cancel.
pub(crate) async fn room(outbound: &mpsc::Sender<v1::ConnectRequest>) {
    if outbound.reserve().await.is_err() {
        // The connection is gone, which `Link::next` will say.
        std::future::pending::<()>().await;
    }
}

async fn talk(
    options: &Options,
    requests: mpsc::Receiver<v1::ConnectRequest>,
    events: &mpsc::Sender<LinkEvent>,
) -> Closed {
    let dialed = match dial(options).await {
        Ok(dialed) => dialed,
        Err(problem) => return Closed::Lost(problem),
    };
    let mut request = Request::new(ReceiverStream::new(requests));
    request
        .metadata_mut()
        .insert("authorization", dialed.authorization);
    let mut client =
        WorkerServiceClient::new(dialed.channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let mut responses = match client.connect(request).await {
        Ok(response) => response.into_inner(),
        Err(status) => return classify(options, &status),
    };
    loop {
        match responses.message().await {
            Ok(Some(message)) => {
                let event = LinkEvent::Message(Box::new(message));
                if events.send(event).await.is_err() {
                    return Closed::Lost("the session hung up".to_owned());
                }
            }
            Ok(None) => return Closed::Lost("the coordinator closed the stream".to_owned()),
            Err(status) => return classify(options, &status),
        }
    }
}

/// Whether it is of use to try again after `status`.
fn classify(options: &Options, status: &Status) -> Closed {
    let coordinator = options.coordinator.to_string();
    let message = status.message().to_owned();
    match status.code() {
        Code::Unauthenticated | Code::PermissionDenied => Closed::Refused(Error::Credential {
            coordinator,
            message,
        }),
        Code::Aborted if reason(status).as_deref() == Some(REPLACED) => {
            Closed::Refused(Error::Replaced {
                coordinator,
                worker_id: options.worker_id.clone(),
            })
        }
        Code::FailedPrecondition
        | Code::InvalidArgument
        | Code::Unimplemented
        | Code::AlreadyExists => Closed::Refused(Error::Refused {
            coordinator,
            version: rangefinder_proto::PROTOCOL_VERSION,
            message,
        }),
        _ => Closed::Lost(words(status)),
    }
}

/// The `google.rpc.ErrorInfo.reason` of a status.
fn reason(status: &Status) -> Option<String> {
    let details = status.check_error_details().ok()?;
    details.error_info().map(|info| info.reason.clone())
}
