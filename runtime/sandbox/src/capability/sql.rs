//! `sql`: statements on a database that the operator named.

use std::time::Duration;

use evenkeel_engine::port::reach::{Rows, SqlError, SqlValue, Statement};
use evenkeel_model::action::hex;
use evenkeel_model::call::Call;
use evenkeel_model::grant::Capability;
use evenkeel_model::role::{Database, Resource};
use evenkeel_model::secret::Value as Secret;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::journal::Json;
use super::{asset, granted};
use crate::allowance::Use;
use crate::bindings::evenkeel::cap::sql;
use crate::state::State;
use crate::statement::{self, Dialect};

/// Of one statement.
const PARAMS: usize = 1_000;
/// Of all of them together, in bytes.
const PARAMS_BYTES: usize = 1 << 20;
/// Left to the plugin of its time when a statement takes too long: the two seconds in which the database may end it,
/// and a moment.
const MARGIN: Duration = Duration::from_millis(2_500);

impl sql::Host for State {
    async fn query(
        &mut self,
        database: String,
        statement: String,
        params: Vec<sql::Value>,
        limit: u32,
    ) -> wasmtime::Result<Result<sql::Rows, sql::SqlError>> {
        let params = values(params);
        let granted = self.database(&database, "query", &statement, &params);
        let mut call = call("query", &database, &statement, &params);
        call.request["limit"] = json!(limit);
        let (definition, ticket) = admitted!(self.admit(call, &[], granted).await?, sql::SqlError);
        let at = asset(&database, &self.invocation.target.id);
        let rows = limit.min(self.invocation.limits.rows);
        let wanted = self.statement(&definition, statement, params, rows);
        let answer = match self.password(&definition).await {
            Ok(password) => {
                let reach = self.ports.reach.clone();
                reach.query(&at, &definition, password.as_ref(), wanted).await
            }
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| of_database(&database, error));
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map(Into::into).map_err(Into::into))
    }

    async fn execute(
        &mut self,
        database: String,
        statement: String,
        params: Vec<sql::Value>,
    ) -> wasmtime::Result<Result<u64, sql::SqlError>> {
        let params = values(params);
        let granted = self.database(&database, "execute", &statement, &params);
        let content = carried(&params);
        let call = call("execute", &database, &statement, &params);
        let uses = [Use {
            capability: "sql",
            operation: "execute",
            subject: call.subject.clone(),
            content: content.as_bytes(),
        }];
        let (definition, mut ticket) = admitted!(self.admit(call, &uses, granted).await?, sql::SqlError);
        let at = asset(&database, &self.invocation.target.id);
        let answer = match self.password(&definition).await {
            Ok(password) => {
                self.intend(&mut ticket).await?;
                let wanted = self.statement(&definition, statement, params, 0);
                let reach = self.ports.reach.clone();
                reach.execute(&at, &definition, password.as_ref(), wanted).await
            }
            Err(error) => Err(error),
        };
        let answer = answer.map_err(|error| of_database(&database, error));
        let answer = self.finish(ticket, answer).await?;
        Ok(answer.map_err(Into::into))
    }
}

impl State {
    /// The operator's definition, if such a statement may be sent there.
    fn database(&self, name: &str, verb: &str, text: &str, params: &[SqlValue]) -> Result<Database, String> {
        let resource = granted(&self.invocation.access, Capability::Sql, verb, name)?;
        let Resource::Database(database) = resource else {
            return Err(format!("`{name}` is no database"));
        };
        if params.len() > PARAMS || params.iter().map(size).sum::<usize>() > PARAMS_BYTES {
            return Err(format!(
                "a statement has at most {PARAMS} parameters, and they have at most {} KiB",
                PARAMS_BYTES >> 10
            ));
        }
        let dialect = Dialect::of(&database.place()?);
        match verb {
            "query" => statement::read(dialect, text)?,
            _ => statement::change(dialect, text)?,
        }
        Ok(database.clone())
    }

    async fn password(&mut self, database: &Database) -> Result<Option<Secret>, SqlError> {
        let Some(secret) = &database.password else {
            return Ok(None);
        };
        match self.ports.vault.value(secret).await {
            Ok(Some(value)) => {
                self.redactor.add(&value);
                Ok(Some(value))
            }
            Ok(None) => Err(SqlError::Unavailable("its password is not there".into())),
            Err(why) => Err(SqlError::Unavailable(format!("its password: {why}"))),
        }
    }

    fn statement(&self, database: &Database, text: String, params: Vec<SqlValue>, rows: u32) -> Statement {
        Statement {
            text,
            params,
            timeout: self.patience(database.timeout, MARGIN),
            rows,
            bytes: self.invocation.limits.answer_bytes,
        }
    }
}

/// Whoever reads why it can't be asked has several.
fn of_database(name: &str, error: SqlError) -> SqlError {
    match error {
        SqlError::Unavailable(why) => SqlError::Unavailable(format!("database `{name}`: {why}")),
        SqlError::Lost(why) => SqlError::Lost(format!("database `{name}`: {why}")),
        other => other,
    }
}

fn call(operation: &str, database: &str, statement: &str, params: &[SqlValue]) -> Call {
    let effect = operation == "execute";
    Call {
        capability: Capability::Sql,
        operation: operation.into(),
        subject: format!("{database} {statement}"),
        request: json!({
            "database": database,
            "statement": statement,
            "params": params.iter().map(Json::json).collect::<Vec<_>>(),
        }),
        content: effect.then(|| hex(&Sha256::digest(carried(params)))),
        effect,
        repeatable: !effect,
    }
}

/// The parameters as an effect declares them: compact JSON, blobs in lower-case hex, and null for what JSON has no
/// number for.
fn carried(params: &[SqlValue]) -> String {
    let carried = params.iter().map(|param| match param {
        SqlValue::Null => Value::Null,
        SqlValue::Boolean(value) => (*value).into(),
        SqlValue::Integer(value) => (*value).into(),
        SqlValue::Real(value) => (*value).into(),
        SqlValue::Text(text) => text.as_str().into(),
        SqlValue::Blob(bytes) => json!({ "blob": hex(bytes) }),
    });
    Value::Array(carried.collect()).to_string()
}

fn size(value: &SqlValue) -> usize {
    match value {
        SqlValue::Text(text) => text.len(),
        SqlValue::Blob(bytes) => bytes.len(),
        _ => 8,
    }
}

fn values(values: Vec<sql::Value>) -> Vec<SqlValue> {
    let values = values.into_iter().map(|value| match value {
        sql::Value::Null => SqlValue::Null,
        sql::Value::Boolean(value) => SqlValue::Boolean(value),
        sql::Value::Integer(value) => SqlValue::Integer(value),
        sql::Value::Real(value) => SqlValue::Real(value),
        sql::Value::Text(value) => SqlValue::Text(value),
        sql::Value::Blob(value) => SqlValue::Blob(value),
    });
    values.collect()
}

impl From<SqlValue> for sql::Value {
    fn from(value: SqlValue) -> Self {
        match value {
            SqlValue::Null => Self::Null,
            SqlValue::Boolean(value) => Self::Boolean(value),
            SqlValue::Integer(value) => Self::Integer(value),
            SqlValue::Real(value) => Self::Real(value),
            SqlValue::Text(value) => Self::Text(value),
            SqlValue::Blob(value) => Self::Blob(value),
        }
    }
}

impl From<Rows> for sql::Rows {
    fn from(rows: Rows) -> Self {
        let row = |row: Vec<SqlValue>| row.into_iter().map(Into::into).collect();
        Self {
            columns: rows.columns,
            rows: rows.rows.into_iter().map(row).collect(),
            truncated: rows.truncated,
        }
    }
}

impl From<SqlError> for sql::SqlError {
    fn from(error: SqlError) -> Self {
        match error {
            SqlError::Denied(why) => Self::Denied(why),
            SqlError::Invalid(why) => Self::Invalid(why),
            SqlError::Unavailable(why) | SqlError::Lost(why) => Self::Unavailable(why),
            SqlError::TimedOut | SqlError::Unanswered => Self::TimedOut,
            SqlError::TooLarge => Self::TooLarge,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_carried_as_plugins_declare_them() {
        let params = [
            SqlValue::Null,
            SqlValue::Boolean(true),
            SqlValue::Integer(-1),
            SqlValue::Real(f64::NAN),
            SqlValue::Text("a".into()),
            SqlValue::Blob(vec![0, 255]),
        ];
        assert_eq!(carried(&params), r#"[null,true,-1,null,"a",{"blob":"00ff"}]"#);
        let call = call("execute", "main", "delete from t where id = $1", &params);
        assert_eq!(call.subject, "main delete from t where id = $1");
        assert_eq!((call.effect, call.repeatable), (true, false));
    }
}
