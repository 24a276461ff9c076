//! Ticks, missed and not.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::schedule::{Book, Due, Entry};
use evenkeel_model::cron::Schedule;
use evenkeel_model::invocation::Severity;
use evenkeel_model::run::{Occurrence, Verdict};
use evenkeel_model::runbook::{Missed, Runbook};

use crate::world::home::{home, on_cron, runbook, selecting, step};
use crate::world::script::System;
use crate::world::{World, noon};

fn schedule(expression: &str) -> Schedule {
    Schedule::parse(expression, chrono_tz::UTC).unwrap()
}

fn minutes(n: i64) -> DateTime<Utc> {
    noon() + TimeDelta::minutes(n)
}

fn watch(expression: &str, missed: Missed) -> Runbook {
    on_cron(runbook("watch", vec![step("look")]), expression, missed)
}

/// A schedule of `runbook` that has been seen to up to `seen`.
fn entry(expression: &str, missed: Missed, seen: DateTime<Utc>) -> Entry {
    Entry {
        runbook: Arc::new(runbook("watch", vec![step("look")])),
        schedule: schedule(expression),
        name: format!("{expression} UTC"),
        missed,
        jitter: Duration::ZERO,
        seen,
    }
}

fn all_due(entry: &Entry, since: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    evenkeel_engine::schedule::due(entry, "", since, now)
}

/// The ticks that are to have a round.
fn due(
    expression: &str,
    missed: Missed,
    seen: DateTime<Utc>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Vec<DateTime<Utc>> {
    all_due(&entry(expression, missed, seen), since, now).ticks
}

fn ticks(world: &World) -> Vec<DateTime<Utc>> {
    let of = |run| match world
        .journal
        .summary(evenkeel_model::name::RunId(run as u64))?
        .occurrence
    {
        Occurrence::Tick { at, .. } => Some(at),
        _ => None,
    };
    (1..=world.journal.count()).filter_map(of).collect()
}

// ---- pure --------------------------------------------------------------------------------

#[test]
fn what_was_missed_is_made_up_for_as_the_runbook_says() {
    let due = |missed| due("*/10 * * * *", missed, minutes(-35), minutes(0), minutes(0));
    assert!(
        due(Missed::None).is_empty(),
        "noon was a tick, but this process began at noon"
    );
    assert_eq!(due(Missed::Last), [minutes(0)]);
    assert_eq!(due(Missed::All), [minutes(-30), minutes(-20), minutes(-10), minutes(0)]);
}

#[test]
fn a_tick_that_is_noticed_late_is_not_a_missed_one() {
    let due = |late| {
        due(
            "0 * * * *",
            Missed::None,
            minutes(-30),
            minutes(-30),
            noon() + TimeDelta::seconds(late),
        )
    };
    assert_eq!(due(0), [minutes(0)]);
    assert_eq!(due(59), [minutes(0)]);
    assert!(due(3600 - 1).is_empty(), "the machine slept");
}

#[test]
fn no_more_than_a_thousand_are_made_up_for() {
    let every_second = "* * * * * *";
    let week_ago = minutes(-7 * 24 * 60);
    let all = due(every_second, Missed::All, week_ago, minutes(0), minutes(0));
    assert_eq!(all.len(), 1_000);
    assert_eq!((all[0], all[999]), (noon() - TimeDelta::seconds(999), noon()));
    assert_eq!(
        due(every_second, Missed::Last, week_ago, minutes(0), minutes(0)),
        [noon()]
    );
}

#[test]
fn the_last_tick_is_found_wherever_it_hides() {
    for expression in [
        "* * 3 * * *",
        "0 0 29 2 *",
        "30 3 * * 1",
        "*/7 * * * *",
        "0 12 23 11 *",
        "59 59 23 31 12 *",
    ] {
        let schedule = schedule(expression);
        for back in [1, 59, 3_600, 86_400, 40 * 86_400, 6 * 365 * 86_400] {
            let seen = noon() - TimeDelta::seconds(back);
            let last = due(expression, Missed::Last, seen, noon(), noon());
            match last.as_slice() {
                [] => assert!(
                    schedule.after(seen).is_none_or(|tick| tick > noon()),
                    "{expression} {back}"
                ),
                [tick] => {
                    assert!(*tick > seen && *tick <= noon(), "{expression} {back}");
                    assert!(
                        schedule.after(*tick).is_none_or(|next| next > noon()),
                        "{expression} {back}"
                    );
                    assert_eq!(schedule.after(*tick - TimeDelta::seconds(1)), Some(*tick));
                }
                more => panic!("{more:?}"),
            }
        }
    }
}

#[test]
fn what_is_passed_over_is_told() {
    let told = |missed, seen, since| {
        let due = all_due(
            &entry("*/10 * * * *", missed, minutes(seen)),
            minutes(since),
            minutes(1),
        );
        due.passed
            .map(|passed| (passed.from, passed.to, passed.count, passed.why))
    };
    let why = |rule: &str| format!("no daemon kept the schedules then; {rule}");
    assert_eq!(
        told(Missed::Last, -35, 0),
        Some((minutes(-30), minutes(-10), 3, why("`missed = \"last\"`")))
    );
    assert_eq!(
        told(Missed::None, -35, 0),
        Some((minutes(-30), minutes(0), 4, why("`missed = \"none\"`")))
    );
    assert_eq!(told(Missed::All, -35, 0), None);
    assert_eq!(told(Missed::None, 0, 0), None, "there was no tick");
    let (.., why) = told(Missed::None, -9, -60).expect("noon is more than a minute ago");
    assert!(why.starts_with("it was noticed too late"), "{why}");

    let due = all_due(
        &entry("* * * * *", Missed::All, minutes(-5_000)),
        minutes(0),
        minutes(0),
    );
    let passed = due.passed.expect("the first 4,000");
    assert_eq!(
        (passed.from, passed.to, passed.count),
        (minutes(-4_999), minutes(-1_000), 1_000)
    );
    assert!(passed.why.ends_with("makes up for the latest 1000"), "{}", passed.why);
}

#[test]
fn a_schedule_that_is_put_back_is_due_again_as_it_was() {
    let home = home(vec![watch("*/5 * * * *", Missed::All)]);
    let mut book = Book::new(&home, "", minutes(-12), |_| minutes(-12));
    let first = book.pop_due(minutes(0)).unwrap();
    assert!(book.pop_due(minutes(0)).is_none());
    book.put_back(&first);
    assert_eq!(book.next(), Some(minutes(-10)));
    let again = book.pop_due(minutes(0)).unwrap();
    assert_eq!(again.due, first.due);
    assert_eq!(book.next(), Some(minutes(5)));
}

#[test]
fn a_book_gives_ticks_in_their_order() {
    let mut hourly = watch("0 * * * *", Missed::Last);
    hourly.name = "hourly".into();
    let home = home(vec![watch("*/20 * * * *", Missed::Last), hourly]);
    let mut book = Book::new(&home, "", minutes(-1), |_| minutes(-1));
    assert_eq!(book.next(), Some(minutes(0)));
    let mut popped = Vec::new();
    for at in [0, 20, 40, 60] {
        while let Some(due) = book.pop_due(minutes(at)) {
            assert_eq!(due.due.ticks, [minutes(at)]);
            popped.push(format!("{} {at}", due.runbook.name));
        }
    }
    assert_eq!(
        popped,
        ["hourly 0", "watch 0", "watch 20", "watch 40", "hourly 60", "watch 60"]
    );
}

// ---- driven ------------------------------------------------------------------------------

#[tokio::test(start_paused = true)]
async fn a_schedule_runs_at_its_ticks() {
    let world = World::new(
        home(vec![watch("*/5 * * * *", Missed::Last)]),
        System::new(Severity::Ok).script(),
    );
    world.serve();
    tokio::time::sleep(Duration::from_secs(16 * 60)).await;
    assert_eq!(ticks(&world), [minutes(5), minutes(10), minutes(15)]);
    assert_eq!(world.until_finished(3).await.verdict, Some(Verdict::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_schedule_takes_all_that_the_runbook_selects() {
    let book = selecting(watch("*/5 * * * *", Missed::Last), "customer", "steel");
    let world = World::new(home(vec![book]), System::new(Severity::Ok).script());
    world.serve();
    world.until_finished(2).await;
    let targets = [1, 2].map(|run| {
        let summary = world.journal.summary(evenkeel_model::name::RunId(run)).unwrap();
        summary.target.unwrap().to_string()
    });
    assert_eq!(targets, ["steel-1", "steel-2"]);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_selects_nothing_is_refused_and_says_so() {
    let book = selecting(watch("*/5 * * * *", Missed::Last), "customer", "glass");
    let world = World::new(home(vec![book]), System::new(Severity::Ok).script());
    world.serve();
    let run = world.until_finished(1).await;
    assert_eq!(
        (run.verdict, run.why.as_str()),
        (Some(Verdict::Rejected), "no asset matches `customer=\"glass\"`")
    );
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_was_never_seen_starts_from_now() {
    let world = World::new(
        home(vec![watch("*/5 * * * *", Missed::All)]),
        System::new(Severity::Ok).script(),
    );
    world.serve();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(ticks(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_while_no_daemon_ran_is_made_up_for_at_the_start() {
    for (missed, wanted) in [
        (Missed::None, vec![]),
        (Missed::Last, vec![minutes(0)]),
        (Missed::All, vec![minutes(-10), minutes(-5), minutes(0)]),
    ] {
        let home = home(vec![watch("*/5 * * * *", missed)]);
        let world = World::new(home, System::new(Severity::Ok).script());
        world.journal.set_tick("watch", "*/5 * * * * UTC", minutes(-12));
        world.serve();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(ticks(&world), wanted, "{missed:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tick_has_one_round_over_a_restart() {
    let home = || home(vec![watch("*/5 * * * *", Missed::All)]);
    let script = || System::new(Severity::Ok).script();
    let world = World::new(home(), script());
    world.serve();
    tokio::time::sleep(Duration::from_secs(6 * 60)).await;
    // The round was opened, and the note that it was got lost.
    let world = world.crash(home(), script());
    world.journal.set_tick("watch", "*/5 * * * * UTC", minutes(0));
    world.serve();
    tokio::time::sleep(Duration::from_secs(6 * 60)).await;
    assert_eq!(ticks(&world), [minutes(5), minutes(10)]);
}

/// Passed over is recorded, not only done.
#[tokio::test(start_paused = true)]
async fn ticks_that_are_passed_over_are_in_the_record() {
    let home = home(vec![watch("*/5 * * * *", Missed::Last)]);
    let world = World::new(home, System::new(Severity::Ok).script());
    world.journal.set_tick("watch", "*/5 * * * * UTC", minutes(-12));
    world.serve();
    world.until_finished(1).await;
    let known = world.journal.scheduled("watch", "*/5 * * * * UTC").unwrap();
    let passed = known.passed.unwrap();
    assert_eq!((passed.from, passed.to, passed.count), (minutes(-10), minutes(-5), 2));
    assert_eq!(known.last.map(|(tick, round)| (tick, round.0)), Some((minutes(0), 1)));
    assert_eq!(known.seen, minutes(0));
}

#[tokio::test(start_paused = true)]
async fn what_is_due_together_is_opened_together_and_within_bounds() {
    let books = (0..600).map(|n| {
        let mut book = watch("0 * * * *", Missed::Last);
        book.name = format!("watch-{n}").as_str().into();
        book
    });
    let world = World::new(home(books.collect()), System::new(Severity::Ok).script());
    world.serve();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(world.journal.batches(), 1, "all are new, and noted at once");
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(world.journal.count(), 600);
    // 256 + 256 + 88.
    assert_eq!(world.journal.batches(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_for_a_while_loses_no_tick_and_doubles_none() {
    let world = World::new(
        home(vec![watch("*/5 * * * *", Missed::Last)]),
        System::new(Severity::Ok).script(),
    );
    world.serve();
    tokio::time::sleep(Duration::from_secs(60)).await;
    world.journal.fail_ticks(20);
    tokio::time::sleep(Duration::from_secs(11 * 60)).await;
    assert_eq!(ticks(&world), [minutes(5), minutes(10)]);
}

#[tokio::test(start_paused = true)]
async fn a_changed_home_changes_the_schedules() {
    let world = World::new(
        home(vec![watch("*/5 * * * *", Missed::All)]),
        System::new(Severity::Ok).script(),
    );
    world.serve();
    tokio::time::sleep(Duration::from_secs(7 * 60)).await;
    let faster = home(vec![watch("* * * * *", Missed::All)]);
    world.engine.reload(std::sync::Arc::new(faster));
    tokio::time::sleep(Duration::from_secs(150)).await;
    assert_eq!(ticks(&world), [minutes(5), minutes(8), minutes(9)]);
}
