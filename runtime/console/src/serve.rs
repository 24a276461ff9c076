//! Listeners: bounded connections, bounded headers, a graceful end.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::serve::Listener;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use nix::unistd::{Uid, User};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};

/// Connections at once, each listener.
const CONNECTIONS: usize = 512;
const HEADERS_IN: Duration = Duration::from_secs(10);
/// How long requests under way may go on after the shutdown.
const GRACE: Duration = Duration::from_secs(5);

/// Who is at the other end of the Unix socket.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The user's name, or `uid N` if it has none.
    pub user: String,
}

/// Serves until `shutdown` turns true; then finishes what is under way.
pub async fn serve_tcp(listener: TcpListener, app: Router, shutdown: watch::Receiver<bool>) {
    serve(listener, shutdown, |_| app.clone()).await;
}

/// The same on the Unix socket; handlers find a [`Peer`] among the request's extensions.
pub async fn serve_unix(listener: UnixListener, app: Router, shutdown: watch::Receiver<bool>) {
    serve(listener, shutdown, |stream| {
        app.clone().layer(axum::Extension(peer(stream)))
    })
    .await;
}

async fn serve<L: Listener>(mut listener: L, mut shutdown: watch::Receiver<bool>, app: impl Fn(&L::Io) -> Router) {
    let graceful = GracefulShutdown::new();
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let next = async {
            let permit = free.clone().acquire_owned().await;
            // It waits a moment by itself when a connection can't be taken.
            let (stream, _) = listener.accept().await;
            (permit, stream)
        };
        let (permit, stream) = tokio::select! {
            next = next => next,
            _ = shutdown.wait_for(|stop| *stop) => break,
        };
        let service = TowerToHyperService::new(app(&stream));
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADERS_IN)
            .max_buf_size(64 << 10);
        let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that goes away is no event.
            let _ = connection.await;
            drop(permit);
        });
    }
    let _ = tokio::time::timeout(GRACE, graceful.shutdown()).await;
}

fn peer(stream: &UnixStream) -> Peer {
    let user = match stream.peer_cred() {
        Ok(credentials) => name(Uid::from_raw(credentials.uid())),
        Err(_) => "somebody".to_owned(),
    };
    Peer { user }
}

fn name(uid: Uid) -> String {
    match User::from_uid(uid) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}
