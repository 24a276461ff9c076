//! Values as PostgreSQL has them.

use std::error::Error;

use evenkeel_engine::port::reach::{SqlError, SqlValue};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Column, Row};

/// Sent as text, so that the server reads it as whatever the statement wants there: a timestamp, a uuid, an enum.
#[derive(Debug)]
pub struct Param(Option<String>);

pub fn params(values: &[SqlValue], wanted: &[Type]) -> Result<Vec<Param>, SqlError> {
    if values.len() != wanted.len() {
        return Err(SqlError::Invalid(format!(
            "parameters: the statement takes {}, and {} are given",
            wanted.len(),
            values.len()
        )));
    }
    values
        .iter()
        .zip(wanted)
        .map(|(value, wanted)| param(value, wanted))
        .collect()
}

fn param(value: &SqlValue, wanted: &Type) -> Result<Param, SqlError> {
    Ok(Param(match value {
        SqlValue::Null => None,
        SqlValue::Boolean(value) => Some(value.to_string()),
        SqlValue::Integer(value) => Some(value.to_string()),
        SqlValue::Real(value) => Some(value.to_string()),
        SqlValue::Text(text) if text.contains('\0') => {
            return Err(SqlError::Invalid("PostgreSQL takes no NUL within a text".into()));
        }
        SqlValue::Text(text) => Some(text.clone()),
        SqlValue::Blob(bytes) if *wanted == Type::BYTEA => Some(format!("\\x{}", evenkeel_model::action::hex(bytes))),
        SqlValue::Blob(_) => {
            return Err(SqlError::Invalid(format!("a blob is given where {wanted} is wanted")));
        }
    }))
}

impl ToSql for Param {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let Some(text) = &self.0 else {
            return Ok(IsNull::Yes);
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Whether the driver reads it as one of the contract's values.
pub fn is_plain(kind: &Type) -> bool {
    [
        Type::BOOL,
        Type::INT2,
        Type::INT4,
        Type::INT8,
        Type::OID,
        Type::FLOAT4,
        Type::FLOAT8,
        Type::TEXT,
        Type::VARCHAR,
        Type::BPCHAR,
        Type::NAME,
        Type::BYTEA,
    ]
    .contains(kind)
}

/// A column of the statement within another one that gives it its name back.
pub fn column(column: &Column, inner: &str) -> String {
    let cast = if is_plain(column.type_()) { "" } else { "::text" };
    format!("{inner}{cast} as \"{}\"", column.name().replace('"', "\"\""))
}

pub fn value(row: &Row, at: usize) -> Result<SqlValue, tokio_postgres::Error> {
    let kind = row.columns()[at].type_().clone();
    Ok(match kind {
        Type::BOOL => of(row.try_get(at)?, SqlValue::Boolean),
        Type::INT2 => of(row.try_get(at)?, |value: i16| SqlValue::Integer(value.into())),
        Type::INT4 => of(row.try_get(at)?, |value: i32| SqlValue::Integer(value.into())),
        Type::INT8 => of(row.try_get(at)?, SqlValue::Integer),
        Type::OID => of(row.try_get(at)?, |value: u32| SqlValue::Integer(value.into())),
        Type::FLOAT4 => of(row.try_get(at)?, |value: f32| SqlValue::Real(value.into())),
        Type::FLOAT8 => of(row.try_get(at)?, SqlValue::Real),
        Type::BYTEA => of(row.try_get(at)?, SqlValue::Blob),
        _ => of(row.try_get(at)?, SqlValue::Text),
    })
}

fn of<T>(value: Option<T>, case: impl FnOnce(T) -> SqlValue) -> SqlValue {
    value.map_or(SqlValue::Null, case)
}
