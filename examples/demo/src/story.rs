//! The story, act by act. What has to be observed is written down as it is seen; at the end the
//! demo has worked if all of it was.

mod acts;
mod checklist;
mod claims;

use std::{process::ExitCode, time::Duration};

use anyhow::Context;
use clap::Args;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, sleep},
};

use self::acts::{Acts, Ended, Told};
use crate::{
    rule::Alert,
    stage::{self, Ports, Stage},
    terminal::{self, say},
};

/// What a shell expects of a program that SIGINT ended.
const INTERRUPTED: u8 = 130;

/// How often the story begins at most: on a busy machine the schedule may be quicker than the alert,
/// or the board less slow than the machine made it seem.
const BEGINNINGS: usize = 3;

/// How often the board is looked at when all is kept running: as a Prometheus evaluates its rules.
const EVALUATION: Duration = Duration::from_secs(15);

#[derive(Args)]
pub struct Options {
    /// Leaves everything running at the end, and says how to play with it; Ctrl-C ends it.
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    ports: Ports,
}

/// Plays it once. 0: all was observed.
pub async fn play(options: &Options) -> anyhow::Result<ExitCode> {
    let mut stop = Stop::listen()?;
    let (stage, ended) = tokio::select! {
        played = until_it_is_told(options) => played?,
        () = stop.asked() => {
            say("interrupted: everything is ended");
            return Ok(INTERRUPTED.into());
        }
    };
    let code = report(&stage, &ended);
    if options.keep {
        how_to_play(&stage);
        tokio::select! {
            () = go_on(&stage, ended.alert) => {}
            () = stop.asked() => {}
        }
    }
    stage.strike().await?;
    Ok(code)
}

async fn until_it_is_told(options: &Options) -> anyhow::Result<(Stage, Ended)> {
    options.ports.ensure_free()?;
    let evenkeel = stage::build().await?;
    for beginning in 1.. {
        let stage = Stage::set(&evenkeel, &options.ports).await?;
        let started = Instant::now();
        let mut acts = Acts::on(&stage);
        let told = acts.play().await;
        if let Ok(Told::Otherwise(why)) = told
            && beginning < BEGINNINGS
        {
            say(&format!("{why} Once more, from the beginning."));
            stage.strike().await?;
            continue;
        }
        let mut ended = acts.end(started.elapsed());
        let to_the_end = told.and_then(|told| match told {
            Told::ToTheEnd => Ok(()),
            Told::Otherwise(why) => Err(anyhow::Error::msg(why)),
        });
        ended.checklist.note("the story came to its end", to_the_end);
        return Ok((stage, ended));
    }
    unreachable!("the last beginning ends the story")
}

/// Says what was observed and what was not.
fn report(stage: &Stage, ended: &Ended) -> ExitCode {
    terminal::title("What was observed");
    terminal::quote(&ended.checklist.to_string());
    if ended.checklist.holds() {
        say(&format!("All of it was observed, in {} s.", ended.took.as_secs()));
        return ExitCode::SUCCESS;
    }
    for process in stage.processes() {
        say(&format!("The end of {}:", process.log_file().display()));
        terminal::quote(&process.last_words());
    }
    terminal::complain(&anyhow::anyhow!("not everything was observed: see above"));
    ExitCode::FAILURE
}

fn how_to_play(stage: &Stage) {
    let (home, program) = (stage.cli().home.display(), stage.cli().program.display());
    terminal::title("It goes on until Ctrl-C");
    let lines = [
        format!("the task board   {}", stage.board_url),
        format!(
            "evenkeel         {}/healthz, {}/metrics",
            stage.daemon.url, stage.daemon.url
        ),
        format!("its home         {home}"),
        format!("its log          {}", stage.daemon.process().log_file().display()),
        String::new(),
        format!("export EVENKEEL_HOME={home}"),
        format!("alias evenkeel={program}"),
        "evenkeel runs list".to_owned(),
        "evenkeel runs show 1".to_owned(),
        "evenkeel run keep-the-board-quick --dry-run".to_owned(),
        format!(
            "for n in $(seq 100); do curl -s {}/tasks/1 >/dev/null; done    # visitors",
            stage.board_url
        ),
        "$EDITOR $EVENKEEL_HOME/runbooks/keep-the-board-quick.toml    # taken over once it checks clean".to_owned(),
    ];
    terminal::quote(&lines.join("\n"));
}

/// The demo stays the Prometheus: it evaluates the rule, sends the alert while it fires, and its end.
async fn go_on(stage: &Stage, mut alert: Option<Alert>) {
    loop {
        sleep(EVALUATION).await;
        // What can't be reached is looked at again the next time, as a Prometheus does.
        if let Err(error) = evaluate(stage, &mut alert).await {
            say(&format!("the board could not be looked at: {error:#}"));
        }
    }
}

async fn evaluate(stage: &Stage, alert: &mut Option<Alert>) -> anyhow::Result<()> {
    let window = stage.traffic.look().await?;
    let now = acts::now();
    if window.is_slow() {
        let firing = alert.get_or_insert_with(|| Alert::new(stage.instance(), now, &window));
        return stage.daemon.push(&[firing.firing(now)]).await;
    }
    match alert.take() {
        Some(alert) => stage.daemon.push(&[alert.resolved(now)]).await,
        None => Ok(()),
    }
}

/// Ctrl-C, SIGTERM, and a terminal that is closed.
struct Stop([Signal; 3]);

impl Stop {
    fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("can't listen for signals");
        Ok(Self([
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        ]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
