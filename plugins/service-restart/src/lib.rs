//! Restarts a service through a command of the operator and waits until it is well.

mod probe;

use evenkeel_sdk::exec::{Exec, ExecError};
use evenkeel_sdk::serde_json::json;
use evenkeel_sdk::{Action, Applied, Error, Host, Params, Remedy, Result, Risk, ensure};
use probe::{Health, Probe};

/// Bytes of a failed command's last words that an error tells.
const TAIL: usize = 500;

/// What restarts the service, and how to see that it is well.
#[derive(Params)]
struct ServiceRestart {
    /// The exec profile that restarts it.
    profile: String,
    /// Further arguments; the profile says which are allowed.
    #[serde(default)]
    args: Vec<String>,
    /// Tells whether the service is well; without one, the command's word is taken.
    probe: Option<Probe>,
    /// Plans nothing while the probe says that the service is well.
    #[serde(default = "yes")]
    only_if_unhealthy: bool,
    /// How much a restart hurts.
    #[serde(default = "medium")]
    risk: Risk,
}

fn yes() -> bool {
    true
}

fn medium() -> Risk {
    Risk::Medium
}

#[evenkeel_sdk::remedy]
impl Remedy for ServiceRestart {
    fn plan(&self, host: &Host) -> Result<Vec<Action>> {
        let words = match &self.probe {
            Some(probe) => {
                let health = probe.confirmed(host)?;
                if self.only_if_unhealthy && matches!(health, Health::Well { .. }) {
                    return Ok(Vec::new());
                }
                format!(
                    "then waits up to {} until {} (now: {health})",
                    probe.within,
                    probe.expectation()
                )
            }
            None => "then takes its word that the service is well".to_owned(),
        };
        let action = Action::new("restart", format!("runs `{}`, {words}", self.command_line()))
            .risk(self.risk)
            .effect(self.command(host).effect());
        Ok(vec![action])
    }

    fn apply(&self, host: &Host, _: &Action) -> Result<Applied> {
        let command = self.run(host)?;
        let Some(probe) = &self.probe else {
            return Ok(Applied::changed(format!("ran `{}`", self.command_line())).output(json!({ "command": command })));
        };
        let (waited, health) = probe.wait(host)?;
        let waited_ms = waited.as_ms();
        match health {
            Health::Well { status } => {
                let words = format!(
                    "ran `{}`; {} answered {status} after {waited}",
                    self.command_line(),
                    probe.name()
                );
                Ok(Applied::changed(words)
                    .output(json!({ "command": command, "waited_ms": waited_ms, "status": status })))
            }
            Health::Unwell { reason } => {
                let words = format!(
                    "ran `{}`, but after {waited} {} is not well: {reason}",
                    self.command_line(),
                    probe.name()
                );
                Err(Error::permanent("not-well", words).details(json!({ "command": command, "waited_ms": waited_ms })))
            }
        }
    }
}

impl ServiceRestart {
    fn command<'h>(&self, host: &'h Host) -> Exec<'h> {
        host.exec(&self.profile).args(&self.args)
    }

    /// What the command printed last, if it went well.
    fn run(&self, host: &Host) -> Result<String> {
        let output = match self.command(host).run() {
            // It may have restarted the service all the same, so this must not count as harmless to try again.
            Err(error) if error.cause == ExecError::TimedOut => {
                let words = format!(
                    "`{}` took too long; whether it restarted the service is not known",
                    self.command_line()
                );
                return Err(Error::permanent("restart-timed-out", words));
            }
            answer => answer?,
        };
        let said = output.tail(TAIL);
        ensure!(
            output.success(),
            permanent,
            "restart-failed",
            "`{}` {}: {}",
            self.command_line(),
            output
                .code
                .map_or("was ended by a signal".to_owned(), |code| format!("exited with {code}")),
            if said.is_empty() { "it said nothing" } else { &said }
        );
        Ok(said)
    }

    fn command_line(&self) -> String {
        std::iter::once(self.profile.as_str())
            .chain(self.args.iter().map(String::as_str))
            .collect::<Vec<_>>()
            .join(" ")
    }
}

#[cfg(test)]
mod tests;
