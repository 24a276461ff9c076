//! Processes of this machine, as proc(5) tells of them.

use evenkeel_engine::port::reach::{Process, ProcessError, Signal};
use evenkeel_model::role::Processes;

pub async fn select(_: &Processes) -> Result<Vec<Process>, ProcessError> {
    Err(ProcessError::Io("not there yet".into()))
}

pub async fn signal(_: &Processes, _: u32, _: u64, _: Signal) -> Result<(), ProcessError> {
    Err(ProcessError::Io("not there yet".into()))
}
