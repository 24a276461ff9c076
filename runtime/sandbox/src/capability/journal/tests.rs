use std::fmt::Debug;
use std::time::Duration;

use evenkeel_engine::port::memory::{MemoryError, Remembered};
use evenkeel_engine::port::metrics::{MetricsError, Point, Series};
use evenkeel_engine::port::reach::{
    Capacity, Certificate, Entry, EntryKind, ExecError, FilesError, HttpError, Output, Page, Process, ProcessError,
    Removed, Response, Rows, SqlError, SqlValue,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;
use crate::bindings::evenkeel::cap::{exec, files, http, metrics, process, secrets, sql, state};

/// As the store keeps it: through text.
fn kept(answer: &impl Json) -> Value {
    let text = answer.json().to_string();
    serde_json::from_str(&text).unwrap()
}

/// What a replay gives the plugin is what the live call gave it.
fn same<T: FromJson + Debug>(answer: &impl Json, given: &T) -> Result<(), TestCaseError> {
    let read = T::from_json(&kept(answer)).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(format!("{:?}", read), format!("{:?}", given));
    Ok(())
}

fn file() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        Just(EntryKind::File),
        Just(EntryKind::Directory),
        Just(EntryKind::Link),
        Just(EntryKind::Other),
    ];
    (".*", kind, any::<(u64, u64, u32, u32, u32)>()).prop_map(|(path, kind, (bytes, modified_ms, mode, uid, gid))| {
        Entry {
            path,
            kind,
            bytes,
            modified_ms,
            mode,
            uid,
            gid,
        }
    })
}

fn response() -> impl Strategy<Value = Response> {
    let certificate = (".*", ".*", any::<u64>()).prop_map(|(subject, issuer, not_after_ms)| Certificate {
        subject,
        issuer,
        not_after_ms,
    });
    let headers = vec((".*", ".*"), 0..4);
    (
        any::<u16>(),
        headers,
        any::<Vec<u8>>(),
        any::<u64>(),
        option::of(certificate),
    )
        .prop_map(|(status, headers, body, elapsed, certificate)| Response {
            status,
            headers,
            body,
            elapsed: Duration::from_millis(elapsed),
            certificate,
        })
}

fn process() -> impl Strategy<Value = Process> {
    (".*", ".*", ".*", ".*", any::<(u32, u64, u64, u64, u32)>()).prop_map(
        |(name, command, user, state, (pid, started_ms, cpu_ms, resident_bytes, threads))| Process {
            pid,
            name,
            command,
            user,
            state,
            started_ms,
            cpu_ms,
            resident_bytes,
            threads,
        },
    )
}

fn cell() -> impl Strategy<Value = SqlValue> {
    prop_oneof![
        Just(SqlValue::Null),
        any::<bool>().prop_map(SqlValue::Boolean),
        any::<i64>().prop_map(SqlValue::Integer),
        any::<f64>().prop_map(SqlValue::Real),
        any::<u64>().prop_map(|bits| SqlValue::Real(f64::from_bits(bits))),
        ".*".prop_map(SqlValue::Text),
        any::<Vec<u8>>().prop_map(SqlValue::Blob),
    ]
}

fn guest_cell(cell: &SqlValue) -> sql::Value {
    match cell.clone() {
        SqlValue::Null => sql::Value::Null,
        SqlValue::Boolean(is) => sql::Value::Boolean(is),
        SqlValue::Integer(number) => sql::Value::Integer(number),
        SqlValue::Real(number) => sql::Value::Real(number),
        SqlValue::Text(text) => sql::Value::Text(text),
        SqlValue::Blob(blob) => sql::Value::Blob(blob),
    }
}

fn guest_series(series: &Series) -> metrics::Series {
    let points = series.points.iter().map(|point| metrics::Point {
        at_ms: point.at_ms,
        value: point.value,
    });
    metrics::Series {
        labels: series.labels.clone(),
        points: points.collect(),
    }
}

fn guest_process(process: &Process) -> process::Info {
    let process = process.clone();
    process::Info {
        pid: process.pid,
        name: process.name,
        command: process.command,
        user: process.user,
        state: process.state,
        started_ms: process.started_ms,
        cpu_ms: process.cpu_ms,
        resident_bytes: process.resident_bytes,
        threads: process.threads,
    }
}

proptest! {
    #[test]
    fn files_are_read_back_as_they_were(
        entries in vec(file(), 0..4),
        numbers in any::<(u64, u64, u64, u64, u32)>(),
        content in any::<Vec<u8>>(),
    ) {
        let page = Page { entries, left_out: Vec::new() };
        let guest: Vec<files::Entry> = page.entries.iter().cloned().map(Into::into).collect();
        same(&page, &guest)?;
        let (total_bytes, free_bytes, total_inodes, free_inodes, count) = numbers;
        let space = Capacity { total_bytes, free_bytes, total_inodes, free_inodes };
        same::<files::Capacity>(&space, &space.into())?;
        let removed = Removed { files: count, bytes: total_bytes };
        same(&removed, &files::Removed { files: count, bytes: total_bytes })?;
        same(&content, &content)?;
        same(&(), &())?;
    }

    #[test]
    fn commands_and_requests_are_read_back_as_they_were(
        code in any::<Option<i32>>(),
        stdout in any::<Vec<u8>>(),
        truncated in any::<bool>(),
        response in response(),
    ) {
        let output = Output { code, stderr: stdout.iter().rev().copied().collect(), stdout, truncated };
        same::<exec::Output>(&output, &output.clone().into())?;
        same::<http::Response>(&response, &response.clone().into())?;
    }

    #[test]
    fn rows_series_and_processes_are_read_back_as_they_were(
        cells in vec(vec(cell(), 0..4), 0..4),
        columns in vec(".*", 0..4),
        points in vec(any::<(u64, u64)>(), 0..4),
        processes in vec(process(), 0..3),
        truncated in any::<bool>(),
    ) {
        let guest = sql::Rows {
            columns: columns.clone(),
            rows: cells.iter().map(|row| row.iter().map(guest_cell).collect()).collect(),
            truncated,
        };
        let labels = columns.iter().map(|name| (name.clone(), name.clone())).collect();
        same(&Rows { columns, rows: cells, truncated }, &guest)?;
        let points = points.into_iter().map(|(at_ms, bits)| Point { at_ms, value: f64::from_bits(bits) }).collect();
        let series = vec![Series { labels, points }];
        same(&series, &series.iter().map(guest_series).collect::<Vec<_>>())?;
        same(&processes, &processes.iter().map(guest_process).collect::<Vec<_>>())?;
    }

    #[test]
    fn what_was_remembered_is_read_back_as_it_was(
        value in any::<Vec<u8>>(),
        version in any::<u64>(),
        there in any::<bool>(),
        keys in vec(".*", 0..4),
    ) {
        let remembered = there.then_some(Remembered { value, version });
        let guest = remembered.clone().map(|it| state::Entry { value: it.value, version: it.version });
        same(&remembered, &guest)?;
        same(&version, &version)?;
        same(&keys, &keys)?;
    }

    #[test]
    fn errors_are_read_back_as_they_were(why in ".*") {
        let w = || why.clone();
        for error in [FilesError::Denied(w()), FilesError::Missing, FilesError::Invalid(w()), FilesError::TooLarge, FilesError::Io(w())] {
            same::<files::FilesError>(&error, &error.clone().into())?;
        }
        for error in [ExecError::Denied(w()), ExecError::Spawn(w()), ExecError::TimedOut, ExecError::OutputLimit] {
            same::<exec::ExecError>(&error, &error.clone().into())?;
        }
        for error in [
            HttpError::Denied(w()), HttpError::Dns, HttpError::Connect, HttpError::Tls(w()), HttpError::TimedOut,
            HttpError::TooLarge, HttpError::Other(w()),
        ] {
            same::<http::HttpError>(&error, &error.clone().into())?;
        }
        same(&MetricsError::Unavailable(w()), &metrics::MetricsError::Unavailable(w()))?;
        same(&MetricsError::Invalid(w()), &metrics::MetricsError::Invalid(w()))?;
        same(&MetricsError::TooLarge, &metrics::MetricsError::TooLarge)?;
        same(&ProcessError::Missing, &process::ProcessError::Missing)?;
        same(&ProcessError::Io(w()), &process::ProcessError::Io(w()))?;
        same::<process::ProcessError>(&ProcessError::Lost(w()), &ProcessError::Lost(w()).into())?;
        same(&SqlError::TimedOut, &sql::SqlError::TimedOut)?;
        same::<sql::SqlError>(&SqlError::Unanswered, &SqlError::Unanswered.into())?;
        same::<sql::SqlError>(&SqlError::Lost(w()), &SqlError::Lost(w()).into())?;
        same(&SqlError::TooLarge, &sql::SqlError::TooLarge)?;
        same(&SqlError::Invalid(w()), &sql::SqlError::Invalid(w()))?;
        same(&SqlError::Unavailable(w()), &sql::SqlError::Unavailable(w()))?;
        same(&MemoryError::Quota, &state::StateError::Quota)?;
        same(&MemoryError::TooLarge, &state::StateError::TooLarge)?;
        same(&MemoryError::Conflict, &state::StateError::Conflict)?;
        same(&MemoryError::Io(w()), &state::StateError::Io(w()))?;
    }
}

#[test]
fn what_is_no_answer_is_refused_with_its_place() {
    let read = |text: &str| exec::Output::from_json(&serde_json::from_str(text).unwrap()).map(drop);
    let words = |text: &str| read(text).unwrap_err().to_string();
    assert_eq!(
        words(r#"{"code":1,"stdout":"","stderr":7,"truncated":false}"#),
        "the recorded answer can't be read: `stderr`: `7` is not base64"
    );
    assert_eq!(words("[]"), "the recorded answer can't be read: `[]` is not an object");
    assert!(secrets::SecretError::from_json(&Value::from("gone")).is_err());
}
