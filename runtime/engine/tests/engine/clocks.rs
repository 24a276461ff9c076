//! Clocks that are set, and machines that sleep.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use evenkeel_engine::schedule::Book;
use evenkeel_model::invocation::Severity;
use evenkeel_model::name::RunId;
use evenkeel_model::run::Occurrence;
use evenkeel_model::runbook::Missed;
use proptest::prelude::*;

use crate::world::home::{home, on_cron, runbook, step};
use crate::world::script::System;
use crate::world::{World, noon};

fn minutes(n: i64) -> DateTime<Utc> {
    noon() + TimeDelta::minutes(n)
}

fn watching(expression: &str, missed: Missed) -> evenkeel_model::home::Home {
    home(vec![on_cron(runbook("watch", vec![step("look")]), expression, missed)])
}

fn serving(expression: &str, missed: Missed) -> World {
    let world = World::new(watching(expression, missed), System::new(Severity::Ok).script());
    world.serve();
    world
}

async fn sleep(minutes: u64) {
    tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
}

/// Minutes after noon, in the order of their rounds.
fn ticks(world: &World) -> Vec<i64> {
    let of = |run| match world.journal.summary(RunId(run as u64))?.occurrence {
        Occurrence::Tick { at, .. } => Some((at - noon()).num_minutes()),
        _ => None,
    };
    (1..=world.journal.count()).filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_forward_misses_ticks_as_a_time_without_a_daemon_does() {
    for (missed, wanted) in [
        (Missed::None, vec![10]),
        (Missed::Last, vec![10, 70]),
        (Missed::All, vec![10, 20, 30, 40, 50, 60, 70]),
    ] {
        let world = serving("*/10 * * * *", missed);
        sleep(12).await;
        // From 12:12 to 13:13.
        world.clock.set_forward(TimeDelta::minutes(61));
        sleep(2).await;
        assert_eq!(ticks(&world), wanted, "{missed:?}");
        sleep(6).await;
        assert_eq!(ticks(&world).last(), Some(&80), "{missed:?}: it goes on");
    }
}

#[tokio::test(start_paused = true)]
async fn a_jump_is_noticed_within_seconds_although_the_next_tick_was_far_away() {
    let world = serving("0 0 * * *", Missed::None);
    sleep(1).await;
    // To a quarter of a minute before midnight.
    world
        .clock
        .set_forward(minutes(12 * 60) - TimeDelta::seconds(15) - world.now());
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(ticks(&world), [12 * 60]);
}

#[tokio::test(start_paused = true)]
async fn a_clock_set_back_runs_no_tick_twice_and_stalls_none() {
    for missed in [Missed::None, Missed::Last, Missed::All] {
        let world = serving("*/10 * * * *", missed);
        sleep(31).await;
        assert_eq!(ticks(&world), [10, 20, 30]);
        // From 12:31 to 12:16.
        world.clock.set_forward(TimeDelta::minutes(-15));
        sleep(30).await;
        assert_eq!(ticks(&world), [10, 20, 30, 40], "{missed:?}");
    }
}

/// The wrong year, for some minutes.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_wrong_for_a_while_keeps_no_schedule_still() {
    for missed in [Missed::None, Missed::Last, Missed::All] {
        let year = TimeDelta::days(365);
        let world = serving("*/10 * * * *", missed);
        world.clock.set_forward(year);
        sleep(5).await;
        world.clock.set_forward(-year);
        let by_then = ticks(&world).len();
        sleep(6).await;
        assert_eq!(ticks(&world)[by_then..], [10], "{missed:?}");

        // And none after a restart either.
        world.clock.set_forward(year);
        sleep(1).await;
        let script = System::new(Severity::Ok).script();
        let world = world.crash(watching("*/10 * * * *", missed), script);
        world.clock.set_forward(-year);
        world.serve();
        let by_then = ticks(&world).len();
        sleep(9).await;
        assert_eq!(ticks(&world)[by_then..], [20], "{missed:?}");
    }
}

/// The timers of a machine that sleeps stand still, its clock does not.
#[tokio::test(start_paused = true)]
async fn a_suspended_machine_makes_up_for_what_it_slept_through() {
    let world = serving("*/10 * * * *", Missed::Last);
    sleep(9).await;
    world.clock.set_forward(TimeDelta::hours(8));
    tokio::time::sleep(Duration::from_secs(16)).await;
    assert_eq!(ticks(&world), [8 * 60]);
    let known = world.journal.scheduled("watch", "*/10 * * * * UTC").unwrap();
    let passed = known.passed.unwrap();
    assert_eq!((passed.from, passed.to, passed.count), (minutes(10), minutes(470), 47));
    assert!(passed.why.contains("the machine slept"), "{}", passed.why);
}

/// A slewed clock goes a little too fast or too slow for hours: 500 parts in a million.
#[tokio::test(start_paused = true)]
async fn a_slewed_clock_loses_and_doubles_nothing() {
    for step in [TimeDelta::milliseconds(30), TimeDelta::milliseconds(-30)] {
        let world = serving("* * * * *", Missed::None);
        for _ in 0..120 {
            sleep(1).await;
            world.clock.set_forward(step);
        }
        let seen = ticks(&world);
        let all: Vec<i64> = (1..=seen.len() as i64).collect();
        assert_eq!(seen, all);
        assert!(seen.len() >= 119, "{}", seen.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// However a clock jumps: no tick comes twice in a row of rounds that are told apart by their
    /// occurrence, every tick that the clock goes over while it runs has a round, and the book
    /// never sleeps past the next tick by the clock as it is now.
    #[test]
    fn no_jump_stalls_a_schedule(jumps in proptest::collection::vec((-7_200i64..7_200, 1i64..1_800), 1..20)) {
        let home = watching("*/5 * * * *", Missed::None);
        let schedule = evenkeel_model::cron::Schedule::parse("*/5 * * * *", chrono_tz::UTC).unwrap();
        let mut now = noon();
        let mut book = Book::new(&home, "", now, |_| noon());
        let mut rounds = BTreeSet::new();
        for (jump, runs) in jumps {
            now += TimeDelta::seconds(jump);
            let begun = now;
            for _ in 0..runs {
                while let Some(popped) = book.pop_due(now) {
                    rounds.extend(popped.due.ticks);
                }
                let next = book.next().expect("there is always another");
                prop_assert!(next <= schedule.after(now).unwrap(), "{next} at {now}");
                now += TimeDelta::seconds(1);
            }
            let over = schedule.ticks(begun).take_while(|tick| *tick < now);
            for tick in over {
                prop_assert!(rounds.contains(&tick), "{tick} was gone over from {begun} on");
            }
        }
    }
}
