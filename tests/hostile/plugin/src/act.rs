//! What it can be told to do.

use std::fmt::Display;

use evenkeel_sdk::{Host, Level, Params};

use crate::{computer, services};

/// One try. Fields that an act has no use for are left out.
#[derive(Params, Default)]
#[serde(default)]
pub struct Act {
    /// Its name: `read`, `spin`, …
    act: String,
    /// A name of the operator's: a root, a profile, an origin, a secret, …
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) text: String,
    args: Vec<String>,
    /// Names and values of headers, by turns.
    headers: Vec<String>,
    /// A number of bytes, times, or milliseconds.
    pub(crate) n: u64,
}

/// Does them all, and tells what came of each.
pub fn all(acts: &[Act], host: &Host) -> Vec<String> {
    acts.iter().map(|act| act.perform(host)).collect()
}

impl Act {
    fn perform(&self, host: &Host) -> String {
        if computer::perform(&self.act, self.n) {
            return format!("{}: done", self.act);
        }
        match self.act.as_str() {
            "panic" => panic!("{}", self.text),
            #[cfg(target_arch = "wasm32")]
            "handles" => crate::handles::leak(self.n),
            #[cfg(target_arch = "wasm32")]
            "random" => crate::handles::random(self.n),
            "print" => print(&self.text),
            "log" => host.log(Level::Info, &self.text, &[]),
            "log-huge" => host.log(Level::Info, &"x".repeat(self.size()), &[]),
            "log-flood" => (0..self.n).for_each(|n| host.log(Level::Info, &format!("line {n}"), &[])),
            "print-flood" => flood(self.n),
            "run-flood" => (0..self.n).for_each(|_| {
                std::hint::black_box(host.attempt());
            }),
            "call-flood" => (0..self.n).for_each(|_| {
                let _ = std::hint::black_box(host.files("nothing").space());
            }),
            _ => return self.call(host),
        }
        format!("{}: done", self.act)
    }

    /// One capability call.
    fn call(&self, host: &Host) -> String {
        let files = host.files(&self.name);
        match self.act.as_str() {
            "read" => told(files.read_text(&self.path, 1 << 16)),
            "walk" => told(
                files
                    .walk(&self.path)
                    .map(|entry| entry.map(|entry| entry.path))
                    .collect::<Result<Vec<_>, _>>()
                    .map(|paths| paths.join(" ")),
            ),
            "write" => told(files.write(&self.path, self.text.as_bytes()).map(|()| "written")),
            "remove" => told(
                files
                    .remove(std::slice::from_ref(&self.path))
                    .map(|removed| removed.files),
            ),
            "remove-many" => told(
                files
                    .remove(&vec![String::new(); self.size()])
                    .map(|removed| removed.files),
            ),
            "exec" => told(self.exec(host)),
            "GET" | "POST" => told(self.http(host)),
            act => services::call(act, self, host),
        }
    }

    fn exec(&self, host: &Host) -> Result<String, impl Display + use<>> {
        let mut args = self.args.clone();
        if self.n > 0 {
            args.push("x".repeat(self.size()));
        }
        let output = host.exec(&self.name).args(args).stdin(self.text.as_bytes()).run();
        output.map(|output| {
            let truncated = if output.truncated { ", truncated" } else { "" };
            format!("exit {:?}, {} bytes{truncated}", output.code, output.stdout.len())
        })
    }

    fn http(&self, host: &Host) -> Result<String, impl Display + use<>> {
        let mut request = host
            .http(&self.name)
            .request(&self.act, &self.path)
            .body(self.text.as_bytes());
        for header in self.headers.chunks_exact(2) {
            request = request.header(&header[0], &header[1]);
        }
        request
            .send()
            .map(|response| format!("{} {}", response.status, response.text()))
    }

    pub(crate) fn size(&self) -> usize {
        usize::try_from(self.n).unwrap_or(usize::MAX)
    }
}

pub(crate) fn told<T: Display, E: Display>(result: Result<T, E>) -> String {
    result.map_or_else(|error| error.to_string(), |value| format!("DONE: {value}"))
}

#[allow(clippy::print_stdout, clippy::print_stderr, reason = "that is the attack")]
fn flood(lines: u64) {
    for n in 0..lines {
        println!("out {n}");
        eprintln!("err {n}");
    }
}

/// With bytes that are no UTF-8 after it.
#[allow(clippy::print_stdout, clippy::print_stderr, reason = "that is the attack")]
fn print(text: &str) {
    use std::io::Write as _;
    print!("{text}");
    eprint!("{text}");
    let _ = std::io::stdout().write_all(b"\xff\xfe\n");
    let _ = std::io::stdout().flush();
}
