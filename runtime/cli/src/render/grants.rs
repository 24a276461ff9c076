//! What steps may do, step by step.

use evenkeel_model::access::explain::{Effective, Explained, Group, Key, LeftOver};

use super::safe;

/// Assets that are named before the rest is only counted.
const NAMED: usize = 8;

pub fn text(steps: &[Explained]) -> String {
    let steps: Vec<String> = steps.iter().map(|explained| step(explained).join("\n")).collect();
    steps.join("\n\n")
}

fn step(explained: &Explained) -> Vec<String> {
    let Explained {
        runbook,
        step,
        plugin,
        kind,
        ..
    } = explained;
    let head = format!("`{runbook}`, step `{step}`: {} ({kind})", safe::text(plugin));
    let mut lines = vec![head];
    if explained.targets.is_empty() {
        lines.push("  no asset is selected".into());
    }
    for group in &explained.targets {
        lines.extend(targets(group));
    }
    for asked in &explained.not_granted {
        let asked = safe::text(asked);
        lines.push(format!(
            "  the plugin also asks for {asked}: the step grants it on nothing"
        ));
    }
    lines
}

fn targets(group: &Group) -> Vec<String> {
    let mut lines = vec![format!("  on {}", named(group))];
    if let Some(why) = &group.refused {
        lines.push(format!("    refused: {}", safe::text(why)));
    } else if group.grants.is_empty() {
        lines.push("    nothing".into());
    }
    lines.extend(group.grants.iter().flat_map(grant));
    lines
}

fn named(group: &Group) -> String {
    let names = group.assets.iter().take(NAMED).map(|asset| format!("`{asset}`"));
    let names = names.collect::<Vec<_>>().join(", ");
    match group.assets.len().saturating_sub(NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn grant(effective: &Effective) -> Vec<String> {
    let Effective {
        capability,
        name,
        verbs,
        meaning,
        risk,
        left_over,
    } = effective;
    let mut lines = vec![format!(
        "    {capability}: {} `{}`, which is {}; risk {risk}",
        verbs.join(", "),
        safe::text(name),
        safe::text(meaning)
    )];
    let asked = |left: &&LeftOver| !left.cut_by.contains(&Key::Manifest);
    let (ungranted, unasked): (Vec<_>, Vec<_>) = left_over.iter().partition(asked);
    for (left, why) in [
        (ungranted, "the step does not grant it"),
        (unasked, "the plugin never asks for it"),
    ] {
        if !left.is_empty() {
            let verbs = left.iter().map(|left| left.verb.as_str()).collect::<Vec<_>>();
            let verbs = safe::text(&verbs.join(", "));
            lines.push(format!("      the role also allows {verbs}: {why}"));
        }
    }
    lines
}
