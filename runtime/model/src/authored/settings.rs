//! `evenkeel.toml`.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::limits::Deadline;
use super::notify::{self, AuthoredRouting};
use super::role::{self, Form, Role};
use super::scrape;
use super::value::{Count, Size, Span, Strings};
use super::window::{self, Windows};
use super::{At, Reader, Table};
use crate::home::{Approvers, Keep, SandboxLimits, Settings, Source};

/// `listen` if nothing is said.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7654);
/// Alertmanager's default.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(300);
const RUNS: u32 = 16;

/// What is kept for less is no record of anything.
const LEAST_KEPT: Duration = Duration::from_secs(86_400);

pub(crate) struct AuthoredSettings {
    pub settings: Settings,
    pub roles: Vec<Role>,
    pub routing: AuthoredRouting,
    /// Customers that sources name.
    pub customers: Vec<At<String>>,
    pub windows: Windows,
    pub scrapes: Vec<scrape::Placed>,
}

/// None: the file is no TOML.
pub(crate) fn read(reader: &Reader<'_>) -> Option<AuthoredSettings> {
    let document = reader.document()?;
    let root = reader.root(&document);
    let server = root.table("server").map(|server| read_server(&server));
    let (listen, group) = server.unwrap_or_default();
    let resolve_timeout = root.table("alerts").and_then(|alerts| read_alerts(&alerts));
    let (runs, approve_own) = root
        .table("engine")
        .map_or((None, false), |engine| read_engine(&engine));
    let journal = root.table("journal").map(|journal| read_journal(&journal));
    let approvers = root.named("approvers").into_iter();
    let approvers = approvers
        .filter_map(|(name, table)| read_approvers(&name, &table))
        .collect();
    let mut customers = Vec::new();
    let mut bearers = |key, what| {
        let named = root.named(key).into_iter();
        let read = named.filter_map(|(name, table)| read_source(what, &name, &table, &mut customers));
        read.collect::<Vec<_>>()
    };
    let sources = bearers("source", "a source");
    let readers = bearers("reader", "a reader");
    if let Some(open) = &listen {
        refuse_open(&root, open, sources.is_empty() && !root.has("source"));
    }
    let sandbox = root
        .table("sandbox")
        .map(|sandbox| read_sandbox(&sandbox))
        .unwrap_or_default();
    let roles = root
        .named("role")
        .into_iter()
        .map(|(name, table)| role::read(name, &table))
        .collect();
    let windows = window::read(&root);
    let (scrapes, series, rules) = (scrape::read(&root), scrape::series(&root), scrape::rules(&root));
    let routing = notify::read(&root);
    root.finish();
    Some(AuthoredSettings {
        settings: Settings {
            listen: listen.map_or(LISTEN, At::into_inner),
            sources,
            resolve_timeout: resolve_timeout.map_or(RESOLVE_TIMEOUT, |timeout| timeout.into_inner().0),
            sandbox,
            runs: whole(runs.map_or(RUNS, |runs| runs.into_inner().0)),
            journal: journal.unwrap_or_default(),
            windows: Default::default(),
            scrapes: Vec::new(),
            series,
            rules,
            readers,
            approvers,
            approve_own,
            group,
        },
        roles,
        routing,
        customers,
        windows,
        scrapes,
    })
}

fn read_server(server: &Table<'_, '_>) -> (Option<At<SocketAddr>>, Option<String>) {
    let listen = server.optional::<String>("listen");
    let group = server.optional::<String>("group").map(At::into_inner);
    server.finish();
    (listen.and_then(|listen| read_listen(server, &listen)), group)
}

fn read_alerts(alerts: &Table<'_, '_>) -> Option<At<Span>> {
    let timeout = alerts.optional::<Span>("resolve_timeout");
    alerts.finish();
    timeout
}

fn read_engine(engine: &Table<'_, '_>) -> (Option<At<Count>>, bool) {
    let runs = engine.optional::<Count>("runs");
    let approve_own = engine.optional::<bool>("approve_own").is_some_and(At::into_inner);
    engine.finish();
    (runs, approve_own)
}

fn read_journal(table: &Table<'_, '_>) -> Keep {
    let mut keep = Keep::default();
    let calls = table.optional::<Deadline>("keep_calls");
    let runs = table.optional::<Deadline>("keep_runs");
    for (key, kept) in [("keep_calls", &calls), ("keep_runs", &runs)] {
        let short = kept
            .as_ref()
            .filter(|kept| kept.get_ref().0.is_some_and(|kept| kept < LEAST_KEPT));
        if let Some(short) = short {
            let problem = table.problem("bad-value", short.span(), format!("`{key}` is shorter than a day"));
            table.say(problem.label("write `1d` or more, or `none` to keep it for ever"));
        }
    }
    keep.calls = calls.map_or(keep.calls, |calls| calls.into_inner().0);
    keep.runs = runs.map_or(keep.runs, |runs| runs.into_inner().0);
    table.finish();
    keep
}

fn read_approvers(name: &At<String>, table: &Table<'_, '_>) -> Option<(String, Approvers)> {
    table.check_name("approvers", name);
    let people = table.required::<Strings>("people");
    let need = table.optional::<Count>("need");
    table.finish();
    let people = people?;
    let names: BTreeSet<&String> = people.get_ref().iter().map(At::get_ref).collect();
    let needed = need.as_ref().map_or(1, |need| need.get_ref().0);
    if names.is_empty() {
        let problem = table.problem("bad-value", people.span(), "`people` names nobody");
        table.say(problem.label("nothing could ever be approved"));
        return None;
    }
    if let Some(need) = need.filter(|_| needed as usize > names.len()) {
        let problem = table.problem("bad-value", need.span(), "`need` is more than there are people");
        table.say(problem.label("nothing could ever be approved"));
        return None;
    }
    let people = names.into_iter().cloned().collect();
    Some((name.get_ref().clone(), Approvers { people, need: needed }))
}

fn read_listen(server: &Table<'_, '_>, listen: &At<String>) -> Option<At<SocketAddr>> {
    match listen.get_ref().parse() {
        Ok(address) => Some(At::new(listen.span(), address)),
        Err(_) => {
            let problem = server.problem("bad-value", listen.span(), "`listen` is no address with a port");
            server.say(problem.label("write it like `127.0.0.1:7654` or `[::1]:7654`"));
            None
        }
    }
}

/// Whoever reaches a `listen` without a source may push alerts.
fn refuse_open(root: &Table<'_, '_>, listen: &At<SocketAddr>, without_source: bool) {
    if without_source && !listen.get_ref().ip().is_loopback() {
        let message = "anybody who reaches `listen` could push alerts";
        let problem = root
            .problem("open-listen", listen.span(), message)
            .label("not a loopback address");
        root.say(problem.help("add a `[source.NAME]` with a `token_file`, or listen on 127.0.0.1"));
    }
}

fn read_source(
    what: &str,
    name: &At<String>,
    table: &Table<'_, '_>,
    customers: &mut Vec<At<String>>,
) -> Option<Source> {
    table.check_name(what, name);
    let token_file = table.required::<String>("token_file");
    let customer = table.optional::<String>("customer");
    table.finish();
    customers.extend(customer.clone());
    let token_file = token_file?;
    table.check_value(&token_file, Form::Path.fault(token_file.get_ref()), Form::Path.help());
    Some(Source {
        name: name.get_ref().clone(),
        token_file: PathBuf::from(token_file.into_inner()),
        customer: customer.map(|customer| customer.get_ref().as_str().into()),
    })
}

fn read_sandbox(table: &Table<'_, '_>) -> SandboxLimits {
    let default = SandboxLimits::default();
    let count = |key, otherwise: usize| {
        let count = table.optional::<Count>(key);
        count.map_or(otherwise, |count| {
            refuse_beyond(table, key, count.span(), u64::from(count.get_ref().0));
            whole(count.into_inner().0)
        })
    };
    let size = |key, otherwise: usize| {
        let size = table.optional::<Size>(key);
        size.map_or(otherwise, |size| {
            refuse_beyond(table, key, size.span(), size.get_ref().0);
            usize::try_from(size.into_inner().0).unwrap_or(usize::MAX)
        })
    };
    let span = |key, otherwise: Duration| {
        let span = table.optional::<Span>(key);
        span.map_or(otherwise, |span| span.into_inner().0)
    };
    let limits = SandboxLimits {
        concurrency: count("concurrency", default.concurrency),
        memory_bytes: size("memory", default.memory_bytes),
        cpu: span("cpu", default.cpu),
        calls: table
            .optional::<Count>("calls")
            .map_or(default.calls, |calls| calls.into_inner().0),
        log_lines: count("log_lines", whole64(default.log_lines)) as u64,
        log_bytes: size("log_bytes", whole64(default.log_bytes)) as u64,
        crossing_bytes: size("crossing", default.crossing_bytes),
        handles: count("handles", default.handles),
        answer_bytes: size("answer_bytes", default.answer_bytes),
        journal_bytes: size("journal_bytes", default.journal_bytes),
        findings: count("findings", default.findings),
        actions: count("actions", default.actions),
        samples: count("samples", default.samples),
        compile_cpu: span("compile_cpu", default.compile_cpu),
        compile_memory: size("compile_memory", default.compile_memory),
        compile_time: span("compile_time", default.compile_time),
        circuit: table
            .optional::<Duration>("circuit")
            .map_or(default.circuit, At::into_inner),
        rows: table
            .optional::<Count>("rows")
            .map_or(default.rows, |rows| rows.into_inner().0),
        series: count("series", default.series),
        points: count("points", default.points),
        state_bytes: size("state_bytes", default.state_bytes),
        state_keys: count("state_keys", default.state_keys),
    };
    table.finish();
    limits
}

/// What no host can hold, or no plugin can live with: the least and the most.
const BOUNDS: [(&str, u64, u64, &str); 6] = [
    ("concurrency", 1, 1_024, "write a number from 1 to 1024"),
    ("memory", 1 << 20, 4 << 30, "write a size from `1MiB` to `4GiB`"),
    ("crossing", 64 << 10, 1 << 30, "write a size from `64KiB` to `1GiB`"),
    ("handles", 16, 1_000_000, "write a number from 16 to 1000000"),
    (
        "answer_bytes",
        1 << 10,
        256 << 20,
        "write a size from `1KiB` to `256MiB`",
    ),
    ("journal_bytes", 1 << 10, 1 << 30, "write a size from `1KiB` to `1GiB`"),
];

fn refuse_beyond(table: &Table<'_, '_>, key: &str, span: std::ops::Range<usize>, value: u64) {
    let bounds = BOUNDS.iter().find(|(bounded, ..)| *bounded == key);
    if let Some((_, least, most, write)) = bounds
        && !(*least..=*most).contains(&value)
    {
        let what = if value < *least { "small" } else { "large" };
        let problem = table.problem("bad-value", span, format!("`{key}` is too {what}"));
        table.say(problem.label(*write));
    }
}

fn whole(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn whole64(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}
