//! What steps may do, step by step.

use evenkeel_model::access::explain::{Effective, Explained, Group};

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
    if !explained.not_granted.is_empty() {
        let left = safe::text(&explained.not_granted.join(", "));
        lines.push(format!("  asked for and not granted: {left}"));
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
    lines.extend(group.grants.iter().map(grant));
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

fn grant(effective: &Effective) -> String {
    let Effective {
        capability,
        name,
        verbs,
        meaning,
        risk,
        unused,
    } = effective;
    let mut line = format!(
        "    {capability}: {} {}: {}; risk {risk}",
        verbs.join(", "),
        safe::text(name),
        safe::text(meaning)
    );
    if !unused.is_empty() {
        line.push_str(&format!("; not used: {}", safe::text(&unused.join(", "))));
    }
    line
}
