//! Rounds that are opened some time after their ticks.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::schedule::{Book, entries};
use evenkeel_model::home::Home;
use evenkeel_model::invocation::Severity;
use evenkeel_model::name::RunId;
use evenkeel_model::run::Occurrence;
use evenkeel_model::runbook::Missed;

use crate::world::home::{home, jittered, on_cron, runbook, step};
use crate::world::script::System;
use crate::world::{World, noon};

const MOST: Duration = Duration::from_secs(240);

fn minutes(n: i64) -> DateTime<Utc> {
    noon() + TimeDelta::minutes(n)
}

/// A runbook every five minutes, up to four minutes later.
fn watched(missed: Missed) -> Home {
    let book = on_cron(runbook("watch", vec![step("look")]), "*/5 * * * *", missed);
    home(vec![jittered(book, MOST)])
}

fn opens_at(word: &str, tick: DateTime<Utc>) -> DateTime<Utc> {
    let home = watched(Missed::Last);
    entries(&home, noon()).next().unwrap().opens_at(word, tick)
}

/// Ticks, and when their rounds were opened.
fn opened(world: &World) -> Vec<(DateTime<Utc>, DateTime<Utc>)> {
    let of = |run| {
        let summary = world.journal.summary(RunId(run as u64))?;
        match summary.occurrence {
            Occurrence::Tick { at, .. } => Some((at, summary.requested_at)),
            _ => None,
        }
    };
    (1..=world.journal.count()).filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_round_is_opened_when_its_delay_is_over() {
    let world = World::new(watched(Missed::Last), System::new(Severity::Ok).script());
    world.serve();
    tokio::time::sleep(Duration::from_secs(20 * 60)).await;
    let wanted = [5, 10, 15].map(|n| (minutes(n), opens_at("", minutes(n))));
    assert_eq!(opened(&world), wanted);
    let delays = wanted.map(|(tick, opens_at)| opens_at - tick);
    assert!(delays.iter().all(|delay| *delay > TimeDelta::zero()), "{delays:?}");
    assert_ne!(delays[0], delays[1]);
}

/// It falls between the tick and its round, and the delay is the same afterwards.
#[tokio::test(start_paused = true)]
async fn a_restart_within_a_delay_neither_loses_the_tick_nor_runs_it_twice() {
    for missed in [Missed::None, Missed::Last, Missed::All] {
        let script = || System::new(Severity::Ok).script();
        let world = World::new(watched(missed), script());
        world.serve();
        let due = opens_at("", minutes(5));
        assert!(
            due - minutes(5) > TimeDelta::seconds(2),
            "the delay has to be long enough"
        );
        tokio::time::sleep((minutes(5) - noon()).to_std().unwrap() + Duration::from_secs(1)).await;
        let world = world.crash(watched(missed), script());
        world.serve();
        tokio::time::sleep((due - minutes(5)).to_std().unwrap()).await;
        let world = world.crash(watched(missed), script());
        world.serve();
        tokio::time::sleep(Duration::from_secs(240)).await;
        let of_five = opened(&world).into_iter().filter(|(tick, _)| *tick == minutes(5));
        assert_eq!(of_five.collect::<Vec<_>>(), [(minutes(5), due)], "{missed:?}");
    }
}

#[test]
fn homes_with_the_same_runbook_are_set_apart() {
    assert_ne!(opens_at("one", minutes(5)), opens_at("another", minutes(5)));
}

/// What is due by now is decided by when rounds are to be opened, not by ticks.
#[test]
fn what_waits_for_its_delay_is_not_made_up_for() {
    for missed in [Missed::None, Missed::Last, Missed::All] {
        let home = watched(missed);
        let mut book = Book::new(&home, "", minutes(-3), |_| minutes(-3));
        let due = opens_at("", noon());
        assert_eq!(book.next(), Some(due));
        assert!(book.pop_due(due - TimeDelta::milliseconds(1)).is_none());
        let popped = book.pop_due(due).unwrap();
        assert_eq!(
            (popped.due.ticks, popped.due.passed),
            (vec![noon()], None),
            "{missed:?}"
        );
        assert_eq!(book.next(), Some(opens_at("", minutes(5))));
    }
    // Three are over, and the delay of the last one is not.
    let home = watched(Missed::All);
    let mut book = Book::new(&home, "", minutes(-11), |_| minutes(-11));
    let before = opens_at("", noon()) - TimeDelta::milliseconds(1);
    let popped = book.pop_due(before).unwrap();
    assert_eq!(popped.due.ticks, [minutes(-10), minutes(-5)]);
    assert_eq!(book.next(), Some(opens_at("", noon())));
    assert_eq!(book.pop_due(opens_at("", noon())).unwrap().due.ticks, [noon()]);
}
