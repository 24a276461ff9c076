use std::time::Duration;

use chrono::DateTime;
use evenkeel_model::alert::Grade;
use evenkeel_model::name::CustomerId;
use evenkeel_model::problem::File;

use super::*;
use crate::intake::Context;
use crate::promql::{Labels, Memory, NAME, Options, STALE};

const MINUTE: i64 = 60_000;

fn group(rules: &str) -> definition::Group {
    let text = format!("name = \"g\"\n{rules}");
    let file = File {
        path: "g.toml",
        text: &text,
    };
    let mut read = read(file);
    assert!(read.problems.is_empty(), "{:#?}", read.problems);
    read.groups.remove(0)
}

/// One series, a group, and time that goes on.
struct World {
    memory: Memory,
    externals: Externals,
}

impl World {
    fn new() -> Self {
        Self {
            memory: Memory::default(),
            externals: Externals {
                labels: Labels::new([("site", "north")]),
                url: "https://keel.example".into(),
            },
        }
    }

    fn sample(&mut self, minute: i64, value: f64) {
        let load = Labels::new([(NAME, "load"), ("instance", "a")]);
        self.memory.append(&load, minute * MINUTE, value).unwrap();
    }

    fn evaluate(&mut self, group: &mut Group, minute: i64) -> Vec<Outgoing> {
        let settings = Settings {
            externals: &self.externals,
            options: &Options::default(),
            interval_ms: MINUTE,
            query_offset_ms: 0,
            resend: Resend::default(),
            stopwatch: &|| Duration::ZERO,
        };
        group.evaluate(minute * MINUTE, &mut self.memory, &settings)
    }

    /// What is written of series with this name, by minute.
    fn written(&self, name: &str) -> Vec<(String, i64, f64)> {
        let series = self.memory.iter().filter(|(labels, _)| labels.get(NAME) == name);
        let samples = series.flat_map(|(labels, samples)| {
            let state = labels.get("alertstate").to_owned();
            samples
                .iter()
                .map(move |(time, value)| (state.clone(), time / MINUTE, *value))
        });
        samples.collect()
    }
}

const WAITS: &str = "[[rule]]\nalert = \"Load\"\nexpr = \"load > 5\"\nfor = \"2m\"\n";

fn states(group: &Group) -> Vec<State> {
    group.rules()[0].alerts().map(|alert| alert.state).collect()
}

#[test]
fn an_alert_waits_fires_and_ends() {
    let (mut world, mut group) = (World::new(), Group::new(group(WAITS)));
    let mut seen = Vec::new();
    for (minute, value) in [9.0, 9.0, 9.0, 1.0, 1.0].into_iter().enumerate() {
        world.sample(minute as i64, value);
        world.evaluate(&mut group, minute as i64);
        seen.push(states(&group));
    }
    assert_eq!(
        seen,
        [
            vec![State::Pending],
            vec![State::Pending],
            vec![State::Firing],
            vec![],
            vec![]
        ]
    );
    let alert = group.rules()[0].remembered().next().unwrap();
    assert_eq!(
        (alert.active_at_ms, alert.fired_at_ms, alert.resolved_at_ms),
        (0, Some(2 * MINUTE), Some(3 * MINUTE))
    );
    let written: Vec<_> = world
        .written("ALERTS")
        .into_iter()
        .filter(|(.., value)| value.to_bits() != STALE)
        .collect();
    assert_eq!(
        written,
        [
            ("firing".into(), 2, 1.0),
            ("pending".into(), 0, 1.0),
            ("pending".into(), 1, 1.0)
        ]
    );
    let ended = world
        .written("ALERTS")
        .iter()
        .filter(|(.., value)| value.to_bits() == STALE)
        .count();
    assert_eq!(ended, 2, "each state ends when the next one begins");
}

#[test]
fn what_ended_is_told_for_a_quarter_of_an_hour_and_then_forgotten() {
    let (mut world, mut group) = (
        World::new(),
        Group::new(group("[[rule]]\nalert = \"Load\"\nexpr = \"load > 5\"\n")),
    );
    let mut told = Vec::new();
    for minute in 0..24 {
        world.sample(minute, if minute < 4 { 9.0 } else { 1.0 });
        let out = world.evaluate(&mut group, minute);
        told.extend(
            out.iter()
                .map(|out| (minute, out.starts_at_ms / MINUTE, out.ends_at_ms / MINUTE)),
        );
    }
    // A minute later it is not yet due again: more than the delay must have passed.
    let firing = [(0, 0, 4), (2, 0, 6)];
    let resolved = [4, 6, 8, 10, 12, 14, 16, 18].map(|minute| (minute, 0, 4));
    assert_eq!(told, [&firing[..], &resolved[..]].concat());
    assert_eq!(group.rules()[0].remembered().count(), 0);
}

/// Told so late that its supposed end has passed, it was taken for one that had ended.
#[test]
fn a_firing_alert_that_is_told_late_still_fires_and_one_that_ended_does_not() {
    let (mut world, mut group) = (World::new(), Group::new(group(WAITS)));
    let mut told = Vec::new();
    for minute in 0..6 {
        world.sample(minute, if minute < 4 { 9.0 } else { 1.0 });
        told.extend(world.evaluate(&mut group, minute));
    }
    let customer = |_: &evenkeel_model::alert::Labels| CustomerId::from("local");
    let taken = |late_ms: i64, told: Outgoing| {
        let context = Context {
            source: "rules",
            customer: &customer,
            now: DateTime::from_timestamp_millis(late_ms).unwrap(),
            resolve_timeout: Duration::from_secs(300),
        };
        told.into_alert(&world.externals, &context).unwrap()
    };
    let [fired, .., ended] = told.as_slice() else {
        panic!("it fires and ends: {told:?}");
    };
    let day = 86_400_000;
    let late = taken(day, fired.clone());
    assert!(
        !late.resolved && late.firing(DateTime::from_timestamp_millis(day).unwrap()),
        "{late:?}"
    );
    assert!(taken(day, ended.clone()).resolved);
    // Over a restart it is heard of no more for two minutes of `for`, and for some evaluations.
    let supposed = taken(2 * MINUTE, fired.clone()).ends_at.timestamp_millis();
    assert_eq!(supposed, fired.ends_at_ms + 4 * MINUTE);
}

#[test]
fn what_is_told_is_an_alert_as_if_it_had_been_pushed() {
    let rules = "[[rule]]\nalert = \"Load\"\nexpr = \"load > 5\"\ngrade = \"high\"\n\
                 annotations = { said = \"{{ $value }} at {{ $externalLabels.site }}\" }\n";
    let (mut world, mut group) = (World::new(), Group::new(group(rules)));
    world.sample(0, 9.0);
    let told = world.evaluate(&mut group, 0).remove(0);
    let now = DateTime::from_timestamp_millis(1_000).unwrap();
    let context = Context {
        source: "rules",
        customer: &|_| CustomerId::from("steel"),
        now,
        resolve_timeout: Duration::from_secs(300),
    };
    let alert = told.into_alert(&world.externals, &context).unwrap();
    assert_eq!(
        (alert.grade, alert.name(), alert.firing(now)),
        (Grade::High, "Load", true)
    );
    assert_eq!(alert.labels["site"], "north");
    assert_eq!(alert.annotations["said"], "9 at north");
    assert_eq!(
        alert.generator_url,
        "https://keel.example/graph?g0.expr=load+%3E+5&g0.tab=1"
    );
}

#[test]
fn past_the_limit_all_alerts_are_forgotten_and_the_rule_is_unwell() {
    let rules = "limit = 1\n[[rule]]\nalert = \"Load\"\nexpr = \"load or up\"\n";
    let (mut world, mut group) = (World::new(), Group::new(group(rules)));
    world.sample(0, 9.0);
    world.evaluate(&mut group, 0);
    assert_eq!(states(&group).len(), 1);
    world.sample(1, 9.0);
    let up = Labels::new([(NAME, "up")]);
    world.memory.append(&up, MINUTE, 1.0).unwrap();
    assert_eq!(world.evaluate(&mut group, 1), []);
    let rule = &group.rules()[0];
    assert_eq!(rule.fared.health, Health::Bad);
    assert_eq!(
        rule.fared.last_error.as_deref(),
        Some("exceeded limit of 1 with 2 alerts")
    );
    assert_eq!(rule.remembered().count(), 0);
}

#[test]
fn rules_that_go_on_keep_their_alerts_and_others_end() {
    let rules = format!("{WAITS}[[rule]]\nrecord = \"double\"\nexpr = \"2 * load\"\n");
    let (mut world, mut old) = (World::new(), Group::new(group(&rules)));
    for minute in 0..2 {
        world.sample(minute, 9.0);
        world.evaluate(&mut old, minute);
    }
    let mut new = Group::new(group(WAITS));
    new.go_on_from(old);
    world.sample(2, 9.0);
    world.evaluate(&mut new, 2);
    assert_eq!(states(&new), [State::Firing]);
    let (_, minute, value) = world.written("double").pop().unwrap();
    assert_eq!((minute, value.to_bits()), (2, STALE));
}

/// A rule with `for = "30m"`, pending from minute 0 on, everything down from minute 20 on.
fn restored_after(down_for: i64) -> i64 {
    let rules = WAITS.replace("2m", "30m");
    let (mut world, mut before) = (World::new(), Group::new(group(&rules)));
    for minute in 0..=20 {
        world.sample(minute, 9.0);
        world.evaluate(&mut before, minute);
    }
    let mut after = Group::to_be_restored(group(&rules));
    let back = 20 + down_for;
    for minute in [back, back + 1] {
        world.sample(minute, 9.0);
        world.evaluate(&mut after, minute);
    }
    assert_eq!(
        world.written("ALERTS").last().unwrap().1,
        20,
        "nothing is written before it is restored"
    );
    after.restore((back + 1) * MINUTE, &world.memory, Forgiven::default());
    after.rules()[0].alerts().next().unwrap().active_at_ms / MINUTE
}

#[test]
fn a_pending_alert_goes_on_waiting_after_a_restart() {
    // Ten of thirty minutes are left; those that nobody looked are added.
    assert_eq!(restored_after(4), 5);
    assert_eq!(restored_after(39), 40);
}

#[test]
fn an_outage_that_is_too_long_starts_the_wait_anew() {
    assert_eq!(restored_after(75), 95);
}

#[test]
fn whoever_was_about_to_fire_waits_for_the_grace_period() {
    let rules = WAITS.replace("2m", "30m");
    let (mut world, mut before) = (World::new(), Group::new(group(&rules)));
    for minute in 0..=25 {
        world.sample(minute, 9.0);
        world.evaluate(&mut before, minute);
    }
    let mut after = Group::to_be_restored(group(&rules));
    world.sample(28, 9.0);
    world.evaluate(&mut after, 28);
    after.restore(28 * MINUTE, &world.memory, Forgiven::default());
    // Five minutes were left; it fires in ten.
    assert_eq!(after.rules()[0].alerts().next().unwrap().active_at_ms, 8 * MINUTE);
}

#[test]
fn who_fired_before_a_restart_fires_again_at_once() {
    let rules = WAITS.replace("2m", "15m");
    let (mut world, mut before) = (World::new(), Group::new(group(&rules)));
    for minute in 0..=20 {
        world.sample(minute, 9.0);
        world.evaluate(&mut before, minute);
    }
    let mut after = Group::to_be_restored(group(&rules));
    world.sample(30, 9.0);
    world.evaluate(&mut after, 30);
    after.restore(30 * MINUTE, &world.memory, Forgiven::default());
    world.sample(31, 9.0);
    world.evaluate(&mut after, 31);
    assert_eq!(states(&after), [State::Firing]);
}

#[test]
fn aliases_that_multiply_are_stopped() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..12 {
        let aliases = format!("*a{}, ", n - 1).repeat(10);
        text += &format!("a{n}: &a{n} [{aliases}]\n");
    }
    let read = read(File {
        path: "a.yml",
        text: &text,
    });
    assert_eq!(read.problems[0].code, "too-big");
}

#[test]
fn what_is_nested_too_deeply_is_refused() {
    for text in ["[".repeat(50_000), "- ".repeat(50_000), "{a: ".repeat(20_000)] {
        let read = read(File {
            path: "a.yml",
            text: &text,
        });
        assert!(!read.is_sound(), "{}", &text[..10]);
    }
}

#[test]
fn of_very_many_problems_the_first_are_told_and_the_others_counted() {
    let mut text = "groups:\n- name: a\n  rules:\n".to_owned();
    text += &"  - {alert: a, expr: up, what: 1}\n".repeat(20_000);
    let read = read(File {
        path: "a.yml",
        text: &text,
    });
    assert_eq!(read.problems.len(), 101);
    assert_eq!(
        read.problems[100].message,
        "19900 more problems of this file are not told"
    );
    assert!(!read.is_sound());
}

#[test]
fn rules_that_are_only_warned_of_are_sound_however_many_there_are() {
    let mut text = "groups:\n- name: a\n  rules:\n".to_owned();
    text += &"  - {alert: a, expr: up}\n".repeat(1_000);
    let read = read(File {
        path: "a.yml",
        text: &text,
    });
    assert!(read.is_sound(), "{:?}", read.problems[0]);
    assert_eq!(
        (read.groups[0].rules.len(), read.groups[0].rules[999].line),
        (1_000, 1_003)
    );
}
