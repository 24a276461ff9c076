//! The other side: a process that reads a component, and writes its code or why there is none.

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;

use crate::code;
use crate::component::MAX_BYTES;

/// The exit code of a component that the compiler refuses, with the reason on standard error.
/// A panic has another.
pub const REFUSED: u8 = 1;

/// Files: the three pipes, and what the runtime reads of itself.
const FILES: u64 = 16;

/// All that a compiling child does. `args` are the seconds of CPU time and the bytes of memory
/// that it may take; the component is on standard input, its code goes to standard output.
///
/// It bounds itself before it reads a byte of the component, and can't undo that: also the hard
/// limits are set.
pub fn main(args: impl IntoIterator<Item = String>) -> ExitCode {
    match work(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            let _ = writeln!(io::stderr(), "{words}");
            REFUSED.into()
        }
    }
}

fn work(args: impl IntoIterator<Item = String>) -> Result<(), String> {
    let mut numbers = args.into_iter().map(|number| number.parse::<u64>());
    let (Some(Ok(cpu)), Some(Ok(memory)), None) = (numbers.next(), numbers.next(), numbers.next()) else {
        return Err("it is told its seconds of CPU time and its bytes of memory".into());
    };
    confine(cpu, memory).map_err(|error| format!("the compiler can't be confined: {error}"))?;
    let mut bytes = Vec::new();
    let input = io::stdin().take(MAX_BYTES as u64 + 1);
    { input }.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let engine = crate::engine::to_compile().map_err(|error| format!("{error:#}"))?;
    let code = code::compile(&engine, &bytes)?;
    io::stdout().write_all(&code).map_err(|error| error.to_string())
}

fn confine(cpu: u64, memory: u64) -> nix::Result<()> {
    // A parent that is gone before this leaves a closed pipe, and the other bounds.
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    prctl::set_no_new_privs()?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
    setrlimit(Resource::RLIMIT_NOFILE, FILES, FILES)?;
    setrlimit(Resource::RLIMIT_AS, memory, memory)?;
    // SIGXCPU says which limit it was; a second later the kernel kills whatever is left.
    setrlimit(Resource::RLIMIT_CPU, cpu, cpu.saturating_add(1))
}
