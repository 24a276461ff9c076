use evenkeel_sdk::{Absent, Compare, Params, Scalars};

/// What to ask, and which values are well.
#[derive(Params)]
pub struct SqlCheck {
    /// The database to ask.
    pub database: String,
    /// One statement that reads, with placeholders as the database has them: `$1`, or `?`.
    #[schemars(length(min = 1))]
    pub query: String,
    /// Values of the placeholders, in order: texts, numbers, booleans.
    #[serde(default, skip_serializing)]
    pub params: Scalars,
    /// The column that is compared; it may be left out if there is only one.
    pub column: Option<String>,
    /// On which side of a level a value is bad.
    #[serde(default)]
    pub compare: Compare,
    /// The level beyond which it is a warning.
    pub warn: Option<f64>,
    /// The level beyond which it is critical.
    pub critical: Option<f64>,
    /// Columns that say what a row is about, and become labels of its finding.
    #[serde(default)]
    pub labels: Vec<String>,
    /// What it is when there is no row, or a null in the column.
    #[serde(default)]
    pub absent: Absent,
    /// The code of the findings, and so the name of their alerts.
    #[serde(default = "code")]
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    pub code: String,
    /// What the value is, in words; the column's name unless it is given.
    pub what: Option<String>,
    /// How many rows are told one by one, the worst first.
    #[serde(default = "twenty")]
    #[schemars(range(min = 1, max = 100))]
    pub most: usize,
}

fn code() -> String {
    "sql-value".into()
}

fn twenty() -> usize {
    20
}
