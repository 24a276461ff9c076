//! `sql`: statements on a database that the operator named.

use evenkeel_model::grant::Capability;

use crate::bindings::evenkeel::cap::sql;
use crate::state::State;

impl sql::Host for State {
    async fn query(
        &mut self,
        database: String,
        _: String,
        _: Vec<sql::Value>,
        _: u32,
    ) -> wasmtime::Result<Result<sql::Rows, sql::SqlError>> {
        self.absent(Capability::Sql, "query", &database).await
    }

    async fn execute(
        &mut self,
        database: String,
        _: String,
        _: Vec<sql::Value>,
    ) -> wasmtime::Result<Result<u64, sql::SqlError>> {
        self.absent(Capability::Sql, "execute", &database).await
    }
}
