//! Values as MySQL has them.

use evenkeel_engine::port::reach::{SqlError, SqlValue};
use mysql_async::consts::{ColumnFlags, ColumnType};
use mysql_async::{Column, Params, Row, Value};

/// The character set that says: these are bytes.
const BINARY: u16 = 63;

pub fn params(values: &[SqlValue], wanted: u16) -> Result<Params, SqlError> {
    if values.len() != usize::from(wanted) {
        return Err(SqlError::Invalid(format!(
            "parameters: the statement takes {wanted}, and {} are given",
            values.len()
        )));
    }
    if values.is_empty() {
        return Ok(Params::Empty);
    }
    let values = values.iter().map(|value| match value {
        SqlValue::Null => Value::NULL,
        SqlValue::Boolean(value) => Value::Int(i64::from(*value)),
        SqlValue::Integer(value) => Value::Int(*value),
        SqlValue::Real(value) => Value::Double(*value),
        SqlValue::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
        SqlValue::Blob(bytes) => Value::Bytes(bytes.clone()),
    });
    Ok(Params::Positional(values.collect()))
}

pub fn values(row: Row) -> Vec<SqlValue> {
    let columns = row.columns();
    row.unwrap()
        .into_iter()
        .zip(columns.iter())
        .map(|(it, column)| value(it, column))
        .collect()
}

fn value(value: Value, column: &Column) -> SqlValue {
    let date_alone = matches!(
        column.column_type(),
        ColumnType::MYSQL_TYPE_DATE | ColumnType::MYSQL_TYPE_NEWDATE
    );
    match value {
        Value::NULL => SqlValue::Null,
        Value::Bytes(bytes) => text_or_bytes(bytes, column),
        Value::Int(value) => SqlValue::Integer(value),
        Value::UInt(value) => i64::try_from(value).map_or(SqlValue::Text(value.to_string()), SqlValue::Integer),
        Value::Float(value) => SqlValue::Real(value.into()),
        Value::Double(value) => SqlValue::Real(value),
        Value::Date(year, month, day, ..) if date_alone => SqlValue::Text(format!("{year:04}-{month:02}-{day:02}")),
        Value::Date(year, month, day, hour, minute, second, micros) => SqlValue::Text(format!(
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{}",
            fraction(micros)
        )),
        Value::Time(negative, days, hours, minutes, seconds, micros) => SqlValue::Text(format!(
            "{}{:02}:{minutes:02}:{seconds:02}{}",
            if negative { "-" } else { "" },
            days * 24 + u32::from(hours),
            fraction(micros)
        )),
    }
}

fn fraction(micros: u32) -> String {
    if micros == 0 {
        String::new()
    } else {
        format!(".{micros:06}")
    }
}

fn text_or_bytes(bytes: Vec<u8>, column: &Column) -> SqlValue {
    let kind = column.column_type();
    if kind == ColumnType::MYSQL_TYPE_BIT && bytes.len() <= 8 {
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        return i64::try_from(number).map_or(SqlValue::Blob(bytes), SqlValue::Integer);
    }
    let of_bytes = matches!(
        kind,
        ColumnType::MYSQL_TYPE_STRING
            | ColumnType::MYSQL_TYPE_VAR_STRING
            | ColumnType::MYSQL_TYPE_VARCHAR
            | ColumnType::MYSQL_TYPE_TINY_BLOB
            | ColumnType::MYSQL_TYPE_BLOB
            | ColumnType::MYSQL_TYPE_MEDIUM_BLOB
            | ColumnType::MYSQL_TYPE_LONG_BLOB
            | ColumnType::MYSQL_TYPE_GEOMETRY
            | ColumnType::MYSQL_TYPE_BIT
    );
    if of_bytes && column.character_set() == BINARY && column.flags().contains(ColumnFlags::BINARY_FLAG) {
        return SqlValue::Blob(bytes);
    }
    String::from_utf8(bytes).map_or_else(|error| SqlValue::Blob(error.into_bytes()), SqlValue::Text)
}
