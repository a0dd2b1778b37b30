//! Connections as they come, for a server.

use rangefinder_errors::Coded as _;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;

use super::server::Acceptor;
use super::stream::Connection;

/// Handshakes at a time. Who opens connections and says nothing takes a place until the acceptor's
/// limit passes.
const MAX_HANDSHAKES: usize = 1024;

/// Connections that have not been taken yet.
const QUEUE: usize = 64;

/// How long to wait when the operating system gives no connection, as without free file handles.
const BREATH: Duration = Duration::from_millis(100);

/// All connections that come to `listener`, as `serve_with_incoming` of tonic takes them. Handshakes
/// run side by side: a slow one holds up nobody, and one that fails is logged and never ends the
/// stream. Ends, and closes the listener, when the stream is dropped. Must be called within a tokio
/// runtime.
pub fn incoming(
    listener: TcpListener,
    acceptor: Acceptor,
) -> ReceiverStream<io::Result<Connection>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    tokio::spawn(accept(listener, acceptor, sender));
    ReceiverStream::new(receiver)
}

async fn accept(
    listener: TcpListener,
    acceptor: Acceptor,
    sender: mpsc::Sender<io::Result<Connection>>,
) {
    let places = Arc::new(Semaphore::new(MAX_HANDSHAKES));
    // Dropped with this function, and with it all handshakes.
    let mut handshakes = JoinSet::new();
    loop {
        while handshakes.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((place, listener.accept().await))
        };
        let accepted = tokio::select! {
            () = sender.closed() => return,
            accepted = next => accepted,
        };
        match accepted {
            None => return,
            Some((place, Ok((tcp, address)))) => {
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                handshakes.spawn(async move {
                    let _place = place;
                    match acceptor.accept(tcp).await {
                        // Nobody takes it when the server has just ended.
                        Ok(connection) => drop(sender.send(Ok(connection)).await),
                        Err(error) => tracing::info!(
                            %address,
                            code = %error.code(),
                            "a connection is refused: {error}"
                        ),
                    }
                });
            }
            Some((_, Err(error))) => {
                tracing::warn!("no connection can be accepted: {error}");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
}
