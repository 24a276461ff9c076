//! Databases that can be reached from this machine.

use std::path::Path;

use evenkeel_engine::port::reach::{Rows, SqlError, Statement};
use evenkeel_model::role::Database;
use evenkeel_model::secret::Value as Secret;

pub async fn query(_: &Path, _: &Database, _: Option<&Secret>, _: Statement) -> Result<Rows, SqlError> {
    Err(SqlError::Unavailable("not there yet".into()))
}

pub async fn execute(_: &Path, _: &Database, _: Option<&Secret>, _: Statement) -> Result<u64, SqlError> {
    Err(SqlError::Unavailable("not there yet".into()))
}
