//! A task board over HTTP, with the fault that half of all web applications had once: it keeps a
//! file for each visitor's session, removes none, and reads them all to say who is here. So it
//! grows slower with every visitor, until somebody clears the session cache.
//!
//! | request | answer |
//! |---|---|
//! | `GET /` | the board as a page; a visitor without a session gets one |
//! | `GET /tasks/{id}` | one task as a page; a visitor without a session gets one |
//! | `POST /tasks`, `POST /tasks/{id}/close` | what the forms of the page send |
//! | `GET`, `POST /api/tasks`; `POST /api/tasks/{id}/close` | the same in JSON |
//! | `GET /health` | 200 as long as the process lives |
//! | `GET /metrics` | Prometheus text |

mod metrics;
mod page;
mod routes;
mod sessions;
mod tasks;

use std::{
    io::Write,
    net::SocketAddr,
    path::Path,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use tokio::{net::TcpListener, signal::unix};

use self::{metrics::Metrics, sessions::Sessions, tasks::Tasks};

/// What every request sees.
struct Board {
    tasks: Tasks,
    sessions: Sessions,
    metrics: Metrics,
}

/// Serves the board until SIGTERM or SIGINT. Tasks are kept in `data/tasks.json`, sessions in
/// `data/cache`.
pub async fn serve(listen: SocketAddr, data: &Path) -> anyhow::Result<()> {
    let board = Arc::new(Board {
        tasks: Tasks::open(&data.join("tasks.json"))?,
        sessions: Sessions::open(&data.join("cache"))?,
        metrics: Metrics::default(),
    });
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("the task board can't listen on {listen}"))?;
    let address = listener.local_addr()?;
    writeln!(std::io::stdout().lock(), "task board listening on http://{address}")?;
    axum::serve(listener, routes::router(board))
        .with_graceful_shutdown(asked_to_stop()?)
        .await?;
    Ok(())
}

fn asked_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    let mut terminate = unix::signal(unix::SignalKind::terminate())?;
    let mut interrupt = unix::signal(unix::SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Seconds since 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the board stands for somebody else's service and has a clock of its own"
)]
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
