//! All four kinds in one crate: natively they are plain functions and impls.

use evenkeel_sdk::{
    Action, Applied, Effect, Finding, Host, MockHost, Notice, Params, Remedy, Result, Sample, Severity,
};

#[derive(Params)]
struct Root {
    root: String,
}

#[evenkeel_sdk::check]
fn space(params: Root, host: &Host) -> Result<Vec<Finding>> {
    let empty = host.files(&params.root).walk("").next().is_none();
    Ok(vec![if empty {
        Finding::warning("empty", params.root)
    } else {
        Finding::ok("empty", params.root)
    }])
}

#[evenkeel_sdk::remedy]
impl Remedy for Root {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        let entries = host.files(&self.root).walk("");
        entries
            .map(|entry| Ok(Action::new("x", "y").effect(Effect::remove(&self.root, &entry?.path))))
            .collect()
    }

    fn apply(&self, _: &Host, action: &Action) -> Result<Applied> {
        Ok(Applied::unchanged(&action.id))
    }
}

#[evenkeel_sdk::monitor]
fn count(params: Root, host: &Host) -> Result<Vec<Sample>> {
    let count = u32::try_from(host.files(&params.root).walk("").count())?;
    Ok(vec![
        Sample::gauge("files", f64::from(count)).label("root", params.root),
    ])
}

#[evenkeel_sdk::notifier]
fn post(params: Root, notice: Notice, host: &Host) -> Result<Option<String>> {
    host.files(&params.root).write(&notice.id, notice.text.as_bytes())?;
    Ok(Some(notice.id))
}

fn root() -> Root {
    Root { root: "data".into() }
}

#[test]
fn every_kind_is_called_as_it_was_written() -> Result<()> {
    let host = MockHost::new().with_file("data", "a", "x");
    assert_eq!(space(root(), &host)?[0].severity, Severity::Ok);
    assert_eq!(root().plan(&host)?[0].effects[0].subject, "data:a");
    assert_eq!(count(root(), &host)?[0].value.to_bits(), 1f64.to_bits());
    host.allow_effects();
    let notice = Notice::new("n1", Severity::Info, "title", "text");
    assert_eq!(post(root(), notice, &host)?.as_deref(), Some("n1"));
    assert_eq!(host.content("data", "n1").as_deref(), Some(b"text".as_slice()));
    Ok(())
}

#[test]
fn what_was_not_written_cannot_be_undone() {
    let error = root()
        .rollback(&MockHost::new(), &Action::new("clean", ""), None)
        .expect_err("no undo");
    assert_eq!((error.code(), error.message()), ("no-undo", "`clean` cannot be undone"));
}
