//! What it can do.

use std::time::Duration;

use evenkeel_sdk::{Context as _, Effect, Host, Params, Result};

/// One call.
#[derive(Params, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    /// Writes a file.
    Write,
    /// Runs a command that leaves its trace at its beginning.
    Append,
    /// The same, at its end.
    Late,
    Put,
    Post,
    /// Runs a command that changes nothing.
    Peek,
    Read,
    Get,
    /// Counts in its memory.
    State,
}

/// Does them all.
pub fn all(host: &Host, name: &str, acts: &[Act]) -> Result<()> {
    for (place, act) in acts.iter().enumerate() {
        act.perform(host, &format!("{name}-{place}"))?;
        host.sleep(Duration::from_millis(3));
    }
    Ok(())
}

/// Of those that change something.
pub fn effects(name: &str, acts: &[Act]) -> Vec<Effect> {
    let acts = acts.iter().enumerate();
    acts.filter_map(|(place, act)| act.effect(&format!("{name}-{place}")))
        .collect()
}

impl Act {
    fn effect(self, token: &str) -> Option<Effect> {
        Some(match self {
            Self::Write => Effect::write("traces", token, token.as_bytes()),
            Self::Append => Effect::exec("append", &[token]),
            Self::Late => Effect::exec("late", &[token]),
            Self::Put => Effect::http("PUT", "sink", &format!("/{token}")).any_content(),
            Self::Post => Effect::http("POST", "sink", &format!("/{token}")).any_content(),
            Self::Peek | Self::Read | Self::Get | Self::State => return None,
        })
    }

    fn perform(self, host: &Host, token: &str) -> Result<()> {
        let sink = host.http("sink");
        let run = |profile: &str| host.exec(profile).args([token]).run().map(drop).context("a command");
        let path = format!("/{token}");
        match self {
            Self::Write => host.files("traces").write(token, token.as_bytes()).context("a file"),
            Self::Append => run("append"),
            Self::Late => run("late"),
            Self::Peek => run("peek"),
            Self::Put => sink.put(path).body(token).send().map(drop).context("a PUT"),
            Self::Post => sink.post(path).body(token).send().map(drop).context("a POST"),
            Self::Get => sink.get(path).send().map(drop).context("a GET"),
            Self::Read => host
                .files("traces")
                .read_text("given", 1 << 10)
                .map(drop)
                .context("a file"),
            Self::State => count(host),
        }
    }
}

fn count(host: &Host) -> Result<()> {
    let state = host.state();
    let before = state.get("count").context("its memory")?;
    let count = before.map_or(0, |entry| u64::from(entry.value.first().copied().unwrap_or_default()));
    let next = u8::try_from((count + 1) % 256).unwrap_or_default();
    state.put("count", &[next]).map(drop).context("its memory")
}
