use std::future::Future as _;
use std::sync::atomic::{AtomicI64, AtomicUsize};
use std::task::Poll;
use std::time::Instant;

use async_trait::async_trait;

use super::*;
use crate::port::Fetched;
use crate::promql::{Sample, Source as _};
use crate::rules::{Outgoing, read};
use crate::series::{Handle, Limits};

/// Everything around a watch: targets that answer at once, and a clock.
struct Around {
    began: Instant,
    logged: AtomicUsize,
    /// So far has the clock been set back, in ms.
    back: AtomicI64,
}

#[async_trait]
impl Fetch for Around {
    async fn fetch(&self, _: &model::Target) -> Result<Fetched, String> {
        Ok(Fetched {
            content_type: "text/plain".to_owned(),
            body: b"a 1\n".to_vec(),
        })
    }
}

#[async_trait]
impl Tell for Around {
    async fn tell(&self, _: Vec<Outgoing>, _: Arc<Externals>) {}
}

impl Keep for Around {
    fn log(&self, _: &Store, batch: &[(Handle, Sample)]) -> Result<(), String> {
        self.logged.fetch_add(batch.len(), Ordering::Relaxed);
        Ok(())
    }
    fn snapshot(&self, _: &Store) -> Result<(), String> {
        Ok(())
    }
}

impl Clock for Around {
    fn now_ms(&self) -> i64 {
        1_700_000_000_000 + i64::try_from(self.passed().as_millis()).unwrap() - self.back.load(Ordering::Relaxed)
    }
    fn passed(&self) -> Duration {
        self.began.elapsed()
    }
}

fn watch() -> (Arc<Watch>, Arc<Around>) {
    let around = Arc::new(Around {
        began: Instant::now(),
        logged: AtomicUsize::new(0),
        back: AtomicI64::new(0),
    });
    let ports = Ports {
        fetch: around.clone(),
        tell: around.clone(),
        keep: around.clone(),
        clock: around.clone(),
    };
    (
        Arc::new(Watch::new(ports, Arc::new(Store::new(Limits::default())))),
        around,
    )
}

fn watched(job: &str) -> Watched {
    let scrape = model::Scrape {
        name: job.to_owned(),
        select: None,
        url: String::new(),
        every: Duration::from_millis(20),
        timeout: Duration::from_millis(20),
        labels: Pairs::new(),
        honor_labels: false,
        honor_timestamps: true,
        token_file: None,
        ca: None,
        max_samples: 10,
        max_body: 1_000,
    };
    let target = model::Target {
        scrape: Arc::new(scrape),
        asset: "one".into(),
        customer: "local".into(),
        url: format!("http://{job}/"),
        instance: "one:80".to_owned(),
    };
    let rules = evenkeel_model::problem::File {
        path: "g.toml",
        text: "name = \"g\"\nevery = \"20ms\"\n[[rule]]\nrecord = \"b\"\nexpr = \"a * 2\"\n",
    };
    Watched {
        targets: vec![target],
        groups: read(rules).groups,
        rules: Rules::default(),
    }
}

fn jobs(watch: &Watch) -> Vec<String> {
    let targets = watch.targets();
    targets.iter().map(|state| state.target.scrape.name.clone()).collect()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect(what);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_are_scraped_and_judged_at_their_turns_and_written_down() {
    let (watch, around) = watch();
    watch.take(watched("app")).await;
    let has = |name: &str| {
        let all = watch.series().select(&[], i64::MIN, i64::MAX).unwrap();
        all.iter().any(|series| series.labels.get("__name__") == name)
    };
    until("what is recorded is there", || has("a") && has("b")).await;
    until("it is up", || watch.targets()[0].health == Health::Up).await;
    assert!(around.logged.load(Ordering::Relaxed) > 0);
    assert_eq!(watch.groups()[0].rules()[0].fared.last_error, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_was_set_back_is_said_and_forgotten_when_it_has_caught_up() {
    let (watch, around) = watch();
    watch.take(watched("app")).await;
    let is_well = |health: Health| {
        let state = &watch.targets()[0];
        state.health == health && state.last_error.is_empty()
    };
    until("it is up", || is_well(Health::Up)).await;
    around.back.store(600_000, Ordering::Relaxed);
    until("it is said", || {
        let said = watch.targets()[0].last_error.clone();
        said.starts_with("the clock was set back: samples of ") && said.contains(" s from now")
    })
    .await;
    around.back.store(0, Ordering::Relaxed);
    until("it is forgotten", || is_well(Health::Up)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_made_to_its_end_although_nobody_waits_for_it() {
    let (watch, _) = watch();
    watch.take(watched("old")).await;
    // As a request does whose client has gone away.
    let mut left = Box::pin(watch.take(watched("new")));
    let once = std::future::poll_fn(|context| {
        let _ = left.as_mut().poll(context);
        Poll::Ready(())
    });
    once.await;
    drop(left);
    until("the new one is watched", || {
        jobs(&watch) == ["new"] && watch.groups().len() == 1
    })
    .await;
    until("and scraped", || watch.targets()[0].health == Health::Up).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_the_end_nothing_is_taken() {
    let (watch, _) = watch();
    watch.take(watched("app")).await;
    let (stop, stopping) = tokio::sync::watch::channel(false);
    stop.send_replace(true);
    watch.serve(stopping).await;
    assert!(jobs(&watch).is_empty());
    watch.take(watched("late")).await;
    assert!(jobs(&watch).is_empty() && watch.groups().is_empty());
}
