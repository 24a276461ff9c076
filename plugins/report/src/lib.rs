//! Sums up the runs of a round: as one finding, or as a page in a file. It is for `[[after]]`, which has them as `runs`.

mod page;
mod runs;

use evenkeel_sdk::files::FilesError;
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Action, Applied, Effect, Finding, Host, Params, Remedy, Result, Risk, Severity, ensure};

use crate::runs::{Run, Standing, counted, read};

/// Targets that a summary names.
const NAMED: usize = 10;
/// Bytes of a page that is read to see whether it is the same.
const LARGEST: u64 = 4 << 20;

/// How what was found is called.
#[derive(Params)]
struct Summary {
    /// The code of the finding, and so the name of its alert.
    #[serde(default = "code")]
    #[schemars(regex(pattern = "^[a-z0-9]+(-[a-z0-9]+)*$"))]
    code: String,
    /// So many percent of the targets that are not well are critical; fewer are a warning.
    #[serde(default = "half")]
    #[schemars(range(min = 1, max = 100))]
    critical: u32,
}

fn code() -> String {
    "round".into()
}

fn half() -> u32 {
    50
}

#[evenkeel_sdk::check]
fn summary(params: Summary, host: &Host) -> Result<Vec<Finding>> {
    let runs = read(host)?;
    let bad: Vec<&Run> = runs.iter().filter(|run| run.standing() == Standing::Bad).collect();
    let severity = match (bad.len(), runs.iter().any(|run| run.standing() == Standing::NotKnown)) {
        (0, false) => Severity::Ok,
        (0, true) => Severity::Warning,
        (bad, _) if bad * 100 >= params.critical as usize * runs.len() => Severity::Critical,
        _ => Severity::Warning,
    };
    let named: Vec<_> = bad.iter().take(NAMED).map(|run| format!("`{}`", run.place())).collect();
    let more = match bad.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let words = match named.is_empty() {
        true => counted(&runs),
        false => format!("{}; not well: {}{more}", counted(&runs), named.join(", ")),
    };
    let details = json!({ "runs": runs.len(), "bad": bad.iter().map(|run| run.run).collect::<Vec<_>>() });
    Ok(vec![
        Finding::new(severity, params.code, "the round")
            .summary(words)
            .details(details),
    ])
}

/// Which page to write.
#[derive(Params)]
struct Page {
    /// The root that the file is in.
    root: String,
    /// The file, below the root; a `.md`, since the page is Markdown.
    path: String,
    /// What it is called.
    #[serde(default = "title")]
    title: String,
}

fn title() -> String {
    "Report".into()
}

#[evenkeel_sdk::remedy]
impl Remedy for Page {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        let runs = read(host)?;
        let page = page::of(&self.title, &runs);
        if self.is_there(host, &page)? {
            return Ok(Vec::new());
        }
        let words = format!("writes `{}` to `{}`: {}", self.path, self.root, counted(&runs));
        let action = Action::new("write", words)
            .risk(Risk::Low)
            .effect(Effect::write(&self.root, &self.path, page.as_bytes()))
            .body(&page)?;
        Ok(vec![action])
    }

    fn apply(&self, host: &Host, action: &Action) -> Result<Applied> {
        let page: String = action.body_as()?;
        host.files(&self.root).write(&self.path, page.as_bytes())?;
        Ok(Applied::changed(format!("`{}` has {} bytes", self.path, page.len())))
    }
}

impl Page {
    /// It has this very content.
    fn is_there(&self, host: &Host, page: &str) -> Result<bool> {
        ensure!(
            page.len() as u64 <= LARGEST,
            permanent,
            "too-large",
            "the page would have {} bytes, and may have {LARGEST}",
            page.len()
        );
        match host.files(&self.root).read(&self.path, LARGEST) {
            Ok(content) => Ok(content == page.as_bytes()),
            Err(error) => match error.cause {
                FilesError::Missing | FilesError::TooLarge => Ok(false),
                _ => Err(error.into()),
            },
        }
    }
}

#[cfg(test)]
mod tests;
