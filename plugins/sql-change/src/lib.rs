//! Executes one statement that changes a database, and undoes it with another.

use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::sql::{Rows, Statement};
use evenkeel_sdk::{Action, Applied, Host, Params, Remedy, Result, Risk, Scalars, bail, ensure};

/// Characters of a statement that a summary shows.
const SHOWN: usize = 120;
/// What begins a statement that changes rows and nothing else: without one it changed nothing.
const OF_ROWS: [&str; 5] = ["insert", "update", "delete", "merge", "replace"];

/// What to execute, when there is nothing to do, and how it is undone.
#[derive(Params)]
struct SqlChange {
    /// The database to change.
    database: String,
    /// One statement, with placeholders as the database has them: `$1`, or `?`.
    #[schemars(length(min = 1))]
    statement: String,
    /// Values of the placeholders, in order: texts, numbers, booleans.
    #[serde(default, skip_serializing)]
    params: Scalars,
    /// A query that answers a row if the change is there already.
    unless: Option<Query>,
    /// The statement that undoes it. It is executed after a failure too, so it has to cope with a job half done.
    undo: Option<Query>,
    /// What it does, for those who approve it; the statement unless it is given.
    summary: Option<String>,
    /// How much it may hurt.
    #[serde(default = "medium")]
    risk: Risk,
}

/// A statement with its values.
#[derive(Params)]
struct Query {
    /// One statement.
    #[schemars(length(min = 1))]
    statement: String,
    /// Values of its placeholders.
    #[serde(default, skip_serializing)]
    params: Scalars,
}

fn medium() -> Risk {
    Risk::Medium
}

#[evenkeel_sdk::remedy]
impl Remedy for SqlChange {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        if self.is_there(host)? == Some(true) {
            return Ok(Vec::new());
        }
        let shown = shown(&self.statement);
        let words = match &self.summary {
            Some(summary) => format!("{summary}: `{shown}` in `{}`", self.database),
            None => format!("executes `{shown}` in `{}`", self.database),
        };
        let action = Action::new("execute", words)
            .risk(self.risk)
            .effect(self.change(host).effect());
        Ok(vec![match &self.undo {
            Some(undo) => {
                let words = format!("executes `{}`", self::shown(&undo.statement));
                action.undo(words, [undo.change(&self.database, host).effect()])
            }
            None => action,
        }])
    }

    fn apply(&self, host: &Host, _: &Action) -> Result<Applied> {
        if self.is_there(host)? == Some(true) {
            return Ok(Applied::unchanged("it is there already"));
        }
        let rows = self.change(host).run()?;
        let words = match rows {
            0 => "executed".to_owned(),
            1 => "1 row changed".to_owned(),
            rows => format!("{rows} rows changed"),
        };
        let words = format!("{words}: `{}`", shown(&self.statement));
        let applied = match rows == 0 && is_of_rows(&self.statement) {
            true => Applied::unchanged("no row changed"),
            false => Applied::changed(words),
        };
        Ok(applied.output(json!({ "rows": rows })))
    }

    fn rollback(&self, host: &Host, action: &Action, _: Option<&Applied>) -> Result<()> {
        let Some(undo) = &self.undo else {
            bail!(
                permanent,
                "no-undo",
                "`{}` cannot be undone: the step names no `undo`",
                action.id
            );
        };
        undo.change(&self.database, host).run()?;
        ensure!(
            self.is_there(host)? != Some(true),
            permanent,
            "undo-failed",
            "`{}` was executed, and `unless` still finds the change",
            shown(&undo.statement)
        );
        Ok(())
    }
}

impl SqlChange {
    fn change<'h>(&'h self, host: &'h Host) -> Statement<'h> {
        host.sql(&self.database).execute(&self.statement).bind_all(&self.params)
    }

    /// Nothing: the step doesn't say how that is seen.
    fn is_there(&self, host: &Host) -> Result<Option<bool>> {
        let Some(unless) = &self.unless else { return Ok(None) };
        let query = host.sql(&self.database).query(&unless.statement);
        let Rows { rows, .. } = query.bind_all(&unless.params).limit(1).rows()?;
        Ok(Some(!rows.is_empty()))
    }
}

impl Query {
    fn change<'h>(&'h self, database: &'h str, host: &'h Host) -> Statement<'h> {
        host.sql(database).execute(&self.statement).bind_all(&self.params)
    }
}

/// In one line.
fn shown(statement: &str) -> String {
    let line = statement.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

fn is_of_rows(statement: &str) -> bool {
    let word: String = statement
        .trim_start()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    OF_ROWS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

#[cfg(test)]
mod tests;
