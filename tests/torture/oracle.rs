//! Holds what the journal says against what is seen outside.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use anyhow::{Context as _, ensure};
use serde_json::Value;

use crate::{
    story::{Effect, Story, text},
    tally::Tally,
    traces::Traces,
};

/// One run that has ended.
pub fn judge(story: &Story, traces: &Traces, tally: &mut Tally) -> anyhow::Result<()> {
    for effect in story.effects() {
        one(effect, traces, tally).with_context(|| format!("`{}`", effect.token))?;
    }
    for (name, invocation) in &story.invocations {
        tally.resumes += invocation.resumes;
        tally.interrupted(invocation);
        let done = invocation.phase == "apply" && !invocation.resolved && invocation.ended.is_some();
        if done && !invocation.ended.as_ref().is_some_and(|ended| ended["done"].is_null()) {
            let step = serde_json::from_str::<Value>(name)?["step"].clone();
            let declared = story.declared.get(&(text(&step), invocation.action.clone()));
            for token in declared.context("it was never planned")? {
                ensure!(
                    traces.times(token) > 0,
                    "`{token}` is lost, and its action is said to be done"
                );
            }
        }
        let numbers: Vec<u64> = invocation.effects.iter().map(|effect| effect.n).collect();
        ensure!(numbers.is_sorted(), "{name}: its calls are out of order");
    }
    for doubt in &story.unknown {
        tally.unknown += 1;
        tally.given_up += u64::from(doubt.given_up);
        if let Some(token) = &doubt.token {
            tally.unknown_made += u64::from(traces.times(token) > 0);
        }
    }
    tally.below += story.below;
    let last = story.verdicts.last().context("it has no end")?;
    tally.verdict(last);
    if last == "failed" {
        let stuck = story.invocations.values().any(|invocation| invocation.resumed >= 2);
        ensure!(
            stuck || story.below_failed,
            "it failed, and nothing interrupted it again and again"
        );
    }
    ensure!(last != "unknown", "what a person said did not end it");
    Ok(())
}

fn one(effect: &Effect, traces: &Traces, tally: &mut Tally) -> anyhow::Result<()> {
    let times = traces.times(&effect.token);
    tally.effects += 1;
    match &effect.answer {
        Some(answer) => {
            ensure!(answer.get("ok").is_some(), "it was answered {answer}");
            ensure!(times > 0, "it is said to be made, and it is lost");
        }
        // A person has looked, and it goes on from what they said.
        None if effect.taken_for_done => ensure!(times > 0, "it was taken for made, and is lost"),
        None => {}
    }
    if effect.repeatable {
        tally.repeated += times.saturating_sub(1);
        let most = effect.again + 1;
        ensure!(times <= most, "it was made {times} times, and begun {most} times");
    } else {
        ensure!(times <= 1, "it may not be made twice, and was made {times} times");
    }
    Ok(())
}

/// All of them: nothing was made that no journal tells of, and everything in its order.
pub fn whole(stories: &BTreeMap<u64, Story>, traces: &Traces) -> anyhow::Result<()> {
    traces.nothing_twice()?;
    let told: BTreeSet<&str> = stories
        .values()
        .flat_map(Story::effects)
        .map(|effect| effect.token.as_str())
        .collect();
    for token in traces.count.keys() {
        ensure!(
            told.contains(token.as_str()) || !stories.contains_key(&run_of(token)?),
            "`{token}` was made, and no journal tells of it"
        );
    }
    for order in &traces.orders {
        let mut last: BTreeMap<&str, u64> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for token in order.iter().filter(|token| seen.insert(token.as_str())) {
            let (action, place) = token.rsplit_once('-').context("an odd token")?;
            let place: u64 = place.parse()?;
            let before = last.insert(action, place);
            ensure!(before < Some(place), "`{token}` came after {before:?}");
        }
    }
    Ok(())
}

pub fn run_of(token: &str) -> anyhow::Result<u64> {
    Ok(token.split('-').nth(1).context("an odd token")?.parse()?)
}

/// An occurrence has one round at most, and each alert that was taken in has one. One that was pushed while nothing
/// could be written may have one.
pub fn occurrences(runs: &[Value], accepted: RangeInclusive<u64>) -> anyhow::Result<()> {
    let mut rounds: BTreeMap<String, u64> = BTreeMap::new();
    for run in runs {
        let round = run["round"].as_u64().context("no round")?;
        let known = *rounds.entry(run["occurrence"].to_string()).or_insert(round);
        ensure!(known == round, "rounds {known} and {round} have one occurrence");
    }
    let alerts = rounds
        .keys()
        .filter(|occurrence| occurrence.contains("\"alert\"") && !occurrence.contains("\"attempt\""))
        .count() as u64;
    ensure!(
        accepted.contains(&alerts),
        "{accepted:?} alerts were taken in, and {alerts} have a round"
    );
    Ok(())
}
