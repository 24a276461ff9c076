//! `[scrape.NAME]`, `[series]` and `[rules]` of `evenkeel.toml`.

use std::path::PathBuf;
use std::time::Duration;

use super::role::{Form, Text};
use super::value::{Count, Size, Span, StringTable};
use super::window::read_select;
use super::{At, Table};
use crate::alert::{Labels, is_label_name};
use crate::runbook::Selector;
use crate::scrape::{OWN_LABELS, Rules, Scrape, Series};
use crate::template::is_template;

/// Prometheus' defaults are a minute and ten seconds; four times as often is what its own examples have.
const EVERY: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_secs(10);
/// Sooner, a target is busy with nothing else.
const LEAST_EVERY: Duration = Duration::from_secs(1);
const MAX_SAMPLES: usize = 50_000;
const MAX_BODY: usize = 32 << 20;

/// A scrape, with the places of what the rest of the home has a say in.
pub(crate) struct Placed {
    /// None: something was said about it.
    pub scrape: Option<Scrape>,
    pub select: Option<At<Selector>>,
    pub url: Option<Text>,
}

pub(crate) fn read(root: &Table<'_, '_>) -> Vec<Placed> {
    let named = root.named("scrape").into_iter();
    named.map(|(name, table)| read_one(&name, &table)).collect()
}

fn read_one(name: &At<String>, table: &Table<'_, '_>) -> Placed {
    table.check_name("a scrape", name);
    let select = read_select(table);
    let url = table.required::<String>("url");
    let (every, timeout) = read_times(table);
    let labels = labels(table, "labels", &OWN_LABELS);
    let honor_labels = table.optional::<bool>("honor_labels").is_some_and(At::into_inner);
    let honor_timestamps = table.optional::<bool>("honor_timestamps").is_none_or(At::into_inner);
    let token_file = path(table, "token_file");
    let ca = path(table, "ca");
    let max_samples = table.optional::<Count>("max_samples");
    let max_body = size(table, "max_body", MAX_BODY);
    let sound = table.finish();
    if let Some(url) = url.as_ref().filter(|url| !is_template(url.get_ref())) {
        table.check_value(url, Form::Url.fault(url.get_ref()), Form::Url.help());
    }
    let scrape = url.as_ref().filter(|_| sound).map(|url| Scrape {
        name: name.get_ref().clone(),
        select: select.as_ref().map(|select| select.get_ref().clone()),
        url: url.get_ref().clone(),
        every,
        timeout,
        labels,
        honor_labels,
        honor_timestamps,
        token_file,
        ca,
        max_samples: max_samples.map_or(MAX_SAMPLES, |count| count.into_inner().0 as usize),
        max_body,
    });
    let url = url.map(|text| Text { text, form: Form::Url });
    Placed { scrape, select, url }
}

fn read_times(table: &Table<'_, '_>) -> (Duration, Duration) {
    let every = table.optional::<Span>("every");
    let timeout = table.optional::<Span>("timeout");
    let told = every.as_ref().map_or(EVERY, |every| every.get_ref().0);
    if let Some(every) = every.filter(|every| every.get_ref().0 < LEAST_EVERY) {
        let problem = table.problem("bad-value", every.span(), "`every` is shorter than a second");
        table.say(problem.label("write `1s` or more"));
    }
    if let Some(timeout) = timeout.as_ref().filter(|timeout| timeout.get_ref().0 > told) {
        let problem = table.problem("bad-value", timeout.span(), "`timeout` is longer than `every`");
        table.say(problem.label("a scrape ends before the next one begins"));
    }
    let timeout = timeout.map_or(TIMEOUT.min(told), |timeout| timeout.into_inner().0);
    (told, timeout)
}

/// Label names with their values; `taken` are those that can't be given.
fn labels(table: &Table<'_, '_>, key: &'static str, taken: &[&str]) -> Labels {
    let pairs = table
        .optional::<StringTable>(key)
        .map(At::into_inner)
        .unwrap_or_default();
    for (name, value) in &pairs {
        let fault = if taken.contains(&name.as_str()) {
            format!("the label `{name}` is evenkeel's own")
        } else if !is_label_name(name) || name == "__name__" {
            format!("`{name}` is no name of a label")
        } else {
            continue;
        };
        let problem = table.problem("bad-value", value.span(), fault);
        table.say(problem.label("give it another name: letters, digits and `_`, no digit first"));
    }
    let plain = |(name, value): (String, At<String>)| (name, value.into_inner());
    pairs.into_iter().map(plain).collect()
}

fn path(table: &Table<'_, '_>, key: &'static str) -> Option<PathBuf> {
    let path = table.optional::<String>(key)?;
    table.check_value(&path, Form::Path.fault(path.get_ref()), Form::Path.help());
    Some(PathBuf::from(path.into_inner()))
}

fn size(table: &Table<'_, '_>, key: &'static str, otherwise: usize) -> usize {
    let size = table.optional::<Size>(key);
    size.map_or(otherwise, |size| {
        usize::try_from(size.into_inner().0).unwrap_or(usize::MAX)
    })
}

pub(crate) fn series(root: &Table<'_, '_>) -> Series {
    let default = Series::default();
    let Some(table) = root.table("series") else {
        return default;
    };
    let retention = table.optional::<Span>("retention");
    let max_series = table.optional::<Count>("max_series");
    let max_labels = table.optional::<Count>("max_labels");
    let max_memory = size(&table, "max_memory", default.max_memory);
    table.finish();
    Series {
        retention: retention.map_or(default.retention, |retention| retention.into_inner().0),
        max_series: max_series.map_or(default.max_series, |count| count.into_inner().0 as usize),
        max_memory,
        max_labels: max_labels.map_or(default.max_labels, |count| count.into_inner().0 as usize),
    }
}

pub(crate) fn rules(root: &Table<'_, '_>) -> Rules {
    let default = Rules::default();
    let Some(table) = root.table("rules") else {
        return default;
    };
    let every = table.optional::<Span>("every");
    let external_labels = labels(&table, "external_labels", &[]);
    let external_url = table.optional::<String>("external_url");
    // An empty one is none.
    if let Some(url) = external_url.as_ref().filter(|url| !url.get_ref().is_empty()) {
        table.check_value(url, Form::Origin.fault(url.get_ref()), Form::Origin.help());
    }
    table.finish();
    Rules {
        every: every.map_or(default.every, |every| every.into_inner().0),
        external_labels,
        external_url: external_url.map_or(default.external_url, At::into_inner),
    }
}
