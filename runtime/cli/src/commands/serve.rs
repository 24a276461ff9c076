//! `evenkeel serve`: the daemon's life.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use evenkeel_alerting::port::Memory as _;
use evenkeel_alerting::watch::Watch;
use evenkeel_console::{Console, private, public, serve_tcp, serve_unix};
use evenkeel_engine::port::Clock as _;
use evenkeel_store::compact::Progress;
use tokio::net::{TcpListener, UnixListener};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use crate::args::Serve;
use crate::daemon::Daemon;
use crate::signals::Stop;
use crate::wire::House;
use crate::{home, log, socket, watching};

/// How often the home's files are looked at for changes, and alerts for silence.
const EVERY: Duration = Duration::from_secs(1);

/// Plugins that were not called for so long, and up to twice that, hold no memory for their code.
const IDLE: Duration = Duration::from_secs(60);

/// What the journal need not keep is removed once a while after the start, and then again and again, with
/// a pause after every few runs.
const COMPACT_FIRST: Duration = Duration::from_secs(30);
const COMPACT_EVERY: Duration = Duration::from_secs(3_600);
const COMPACT_PAUSE: Duration = Duration::from_millis(20);

/// Serves until SIGTERM or SIGINT.
pub async fn serve(dir: &Path, args: &Serve) -> Result<ExitCode> {
    log::start(args.log_format);
    // Before anything is begun: until it is listened for, a signal ends the process.
    let signals = Signals::listen()?;
    let dir = home::locate(dir)?;
    let data = home::data(&dir);
    let house = Arc::new(House::open(&dir).await?);
    let listen = args.listen.unwrap_or(house.engine.home().settings.listen);
    let watch = Arc::new(watching::open(&house)?);
    house.own_series.begin(&house.engine, watch.series());
    let daemon = Arc::new(Daemon::new(house.clone(), watch.clone(), listen)?);
    admissible(listen, &daemon)?;
    let tcp = TcpListener::bind(listen)
        .await
        .with_context(|| format!("can't listen on {listen}; `[server] listen` or `--listen` names another address"))?;
    let unix = socket::listen(&data, house.engine.home().settings.group.as_deref());
    let unix = UnixListener::from_std(unix.context("can't make the daemon's socket")?)?;
    daemon.bound(tcp.local_addr()?);
    info!(home = %dir.display(), address = %tcp.local_addr()?, pid = std::process::id(), "serving");
    watch
        .take(watching::watched(&house.engine.home(), house.rules.clone()))
        .await;
    live(&house, daemon, watch, (tcp, unix), args.drain, signals).await?;
    socket::remove(&data);
    info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// What the daemon is told from outside.
struct Signals {
    stop: Stop,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self> {
        Ok(Self {
            stop: Stop::listen()?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

/// Alerts start repairs: nobody may push them from elsewhere without a token.
fn admissible(listen: SocketAddr, daemon: &Daemon) -> Result<()> {
    if !listen.ip().is_loopback() && !daemon.has_sources() {
        bail!(
            "{listen} can be reached from elsewhere: add a `[source.NAME]` with a token to evenkeel.toml, or listen on 127.0.0.1"
        );
    }
    Ok(())
}

/// All that runs side by side, and the order in which it ends.
async fn live(
    house: &Arc<House>,
    daemon: Arc<Daemon>,
    watch: Arc<Watch>,
    (tcp, unix): (TcpListener, UnixListener),
    drain: Duration,
    signals: Signals,
) -> Result<()> {
    let Signals {
        stop: mut asked,
        hangup,
    } = signals;
    let (stop, stopping) = watch::channel(false);
    let (close, closing) = watch::channel(false);
    let console = Arc::new(Console {
        engine: house.engine.clone(),
        journal: house.store.clone(),
        outbox: house.store.clone(),
        memory: house.store.clone(),
        watch: watch.clone(),
        clock: house.clock.clone(),
        daemon: daemon.clone(),
        counters: Default::default(),
    });
    let mut servers = JoinSet::new();
    servers.spawn(serve_tcp(tcp, public(console.clone()), closing.clone()));
    servers.spawn(serve_unix(unix, private(console), closing));
    let mut work = JoinSet::new();
    let (engine, at_work) = (house.engine.clone(), stopping.clone());
    work.spawn(async move { engine.serve(at_work).await });
    let watching = stopping.clone();
    work.spawn(async move { watch.serve(watching).await });
    work.spawn(listen_for_silence(house.clone(), stopping.clone()));
    work.spawn(release_idle(house.clone(), stopping.clone()));
    work.spawn(keep_short(house.clone(), stopping.clone()));
    work.spawn(watch_home(daemon.clone(), stopping, hangup));
    tokio::select! {
        () = asked.wait() => {}
        _ = servers.join_next() => bail!("a listener of the daemon ended by itself"),
        _ = work.join_next() => bail!("a part of the daemon ended by itself"),
    }
    info!(bound = ?drain, "stopping: runs under way are finished first");
    daemon.drains();
    stop.send_replace(true);
    let drained = house.engine.drain(drain).await;
    for run in drained.abandoned {
        warn!(run = run.0, "left to the next start");
    }
    close.send_replace(true);
    while let Some(ended) = servers.join_next().await {
        ended.context("a listener of the daemon broke off")?;
    }
    while let Some(ended) = work.join_next().await {
        ended.context("a part of the daemon broke off")?;
    }
    Ok(())
}

/// Ends alerts that nothing was heard of for long enough.
async fn listen_for_silence(house: Arc<House>, mut stopping: watch::Receiver<bool>) {
    while !pause(&mut stopping, EVERY).await {
        if let Err(cause) = house.store.expire(house.clock.now()).await {
            error!(%cause, "alerts can't be ended for the moment");
        }
    }
}

async fn release_idle(house: Arc<House>, mut stopping: watch::Receiver<bool>) {
    while !pause(&mut stopping, IDLE).await {
        house.sandbox.release_idle();
    }
}

/// Removes what the journal doesn't keep, a little at a time, so that nobody waits for it.
async fn keep_short(house: Arc<House>, mut stopping: watch::Receiver<bool>) {
    let mut pauses = [COMPACT_FIRST].into_iter().chain(std::iter::repeat(COMPACT_EVERY));
    while !pause(&mut stopping, pauses.next().unwrap_or(COMPACT_EVERY)).await {
        let mut progress = Progress::default();
        loop {
            let keep = house.engine.home().settings.journal;
            match house.store.compact(keep, &mut progress, house.clock.now()).await {
                Ok(true) if !pause(&mut stopping, COMPACT_PAUSE).await => {}
                Ok(_) => break,
                Err(cause) => {
                    warn!(cause, "what the journal need not keep can't be removed for the moment");
                    break;
                }
            }
        }
        if progress.compacted + progress.removed > 0 {
            let Progress { compacted, removed, .. } = progress;
            info!(
                compacted,
                removed, "old runs were compacted, or removed from the journal"
            );
        }
    }
}

/// Takes over a changed home once its files have been still for a moment, and on SIGHUP at once.
async fn watch_home(daemon: Arc<Daemon>, mut stopping: watch::Receiver<bool>, mut hangup: Signal) {
    let mut served = daemon.stamp_at_start();
    let mut seen = served.clone();
    loop {
        let asked = tokio::select! {
            stop = pause(&mut stopping, EVERY) => { if stop { return } false }
            asked = hung_up(&mut hangup) => asked,
        };
        let now = daemon.stamp();
        let still = now == seen;
        seen = now;
        if asked || (still && seen != served) {
            served.clone_from(&seen);
            daemon.take_over().await;
        }
    }
}

async fn hung_up(hangup: &mut Signal) -> bool {
    hangup.recv().await.is_some()
}

/// Whether it is time to stop.
async fn pause(stopping: &mut watch::Receiver<bool>, time: Duration) -> bool {
    tokio::time::timeout(time, stopping.wait_for(|stop| *stop))
        .await
        .is_ok()
}
