//! What has to be observed, and whether it was.

use std::fmt;

#[derive(Default)]
pub struct Checklist(Vec<Claim>);

struct Claim {
    says: String,
    /// What was missing.
    missing: Option<String>,
}

impl Checklist {
    /// Writes a claim down with whether it holds.
    pub fn note(&mut self, claim: &str, observed: anyhow::Result<()>) {
        self.0.push(Claim {
            says: claim.to_owned(),
            missing: observed.err().map(|error| format!("{error:#}")),
        });
    }

    /// Whether there are claims, and all of them hold.
    pub fn holds(&self) -> bool {
        !self.0.is_empty() && self.0.iter().all(|claim| claim.missing.is_none())
    }
}

impl fmt::Display for Checklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for claim in &self.0 {
            match &claim.missing {
                None => writeln!(f, "[yes] {}", claim.says)?,
                Some(missing) => writeln!(f, "[NO]  {}: {missing}", claim.says)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn nothing_observed_is_no_success() {
        assert!(!Checklist::default().holds());
    }

    #[test]
    fn what_was_missing_is_said() {
        let mut list = Checklist::default();
        list.note("the board is quick", Ok(()));
        assert!(list.holds());
        list.note("one run repaired it", Err(anyhow!("there are 2")));

        assert!(!list.holds());
        assert_eq!(
            list.to_string(),
            "[yes] the board is quick\n[NO]  one run repaired it: there are 2\n"
        );
    }
}
