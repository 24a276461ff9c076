//! Who is told of what, and how.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::{AccessError, access};
use crate::alert::Grade;
use crate::asset::Asset;
use crate::grant::{Access, Grant};
use crate::home::Home;
use crate::name::{AssetId, CustomerId, RoleName, RunbookName};
use crate::plugin::{Manifest, Pinned};
use crate::runbook::{Does, Step};

/// What people are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// A plan waits for a person.
    Approval,
    /// A run gave up and calls for a person.
    Escalation,
    /// A gate refused a run that an alert of grade high had asked for.
    Refusal,
    /// A run ended so.
    NotRepaired,
    /// A run ended so.
    Unknown,
}

impl Topic {
    pub const ALL: [Self; 5] = [
        Self::Approval,
        Self::Escalation,
        Self::Refusal,
        Self::NotRepaired,
        Self::Unknown,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Approval => "approval",
            Self::Escalation => "escalation",
            Self::Refusal => "refusal",
            Self::NotRepaired => "not-repaired",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The notifiers and routes of a home.
#[derive(Clone, Debug, Default)]
pub struct Routing {
    pub notifiers: BTreeMap<String, Arc<Notifier>>,
    pub routes: Vec<Route>,
}

/// `[[route]]`. An empty filter lets everything through.
#[derive(Clone, Debug)]
pub struct Route {
    pub on: Vec<Topic>,
    pub customers: Vec<CustomerId>,
    pub grades: Vec<Grade>,
    pub runbooks: Vec<RunbookName>,
    /// Names of notifiers.
    pub notify: Vec<String>,
}

/// What a route looks at.
#[derive(Clone, Copy, Debug)]
pub struct Happened<'e> {
    pub topic: Topic,
    pub customer: Option<&'e CustomerId>,
    /// Of the alert that the run is about.
    pub grade: Option<Grade>,
    pub runbook: &'e RunbookName,
}

impl Routing {
    /// Who is told, each once, in the order of their names.
    pub fn told(&self, happened: Happened<'_>) -> Vec<&Arc<Notifier>> {
        let matching = self.routes.iter().filter(|route| route.matches(happened));
        let names: std::collections::BTreeSet<&String> = matching.flat_map(|route| &route.notify).collect();
        names.into_iter().filter_map(|name| self.notifiers.get(name)).collect()
    }
}

impl Route {
    pub fn matches(&self, happened: Happened<'_>) -> bool {
        fn passes<T: PartialEq>(filter: &[T], value: Option<&T>) -> bool {
            filter.is_empty() || value.is_some_and(|value| filter.contains(value))
        }
        self.on.contains(&happened.topic)
            && passes(&self.customers, happened.customer)
            && passes(&self.grades, happened.grade.as_ref())
            && passes(&self.runbooks, Some(happened.runbook))
    }
}

/// `[notifier.NAME]`.
#[derive(Clone, Debug)]
pub struct Notifier {
    pub name: String,
    pub plugin: Pinned,
    /// Parameters, as they are: they hold no templates.
    pub with: Value,
    pub grant: Vec<Grant>,
    /// Whose ceilings the grants are held against.
    pub role: RoleName,
    /// Of each try.
    pub timeout: Duration,
    /// None: as fast as it goes.
    pub rate: Option<Rate>,
}

/// So many tries in so long a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub count: u32,
    pub within: Duration,
}

impl Rate {
    /// `20 in 1m`.
    pub fn parse(text: &str) -> Option<Self> {
        let (count, within) = text.split_once(" in ")?;
        let count = count.trim().parse().ok().filter(|count| *count > 0)?;
        let within = crate::quantity::duration(within.trim()).filter(|within| !within.is_zero())?;
        Some(Self { count, within })
    }
}

impl Notifier {
    /// The asset `local`, with the notifier's role: what its templates and grants are about.
    pub fn target(&self, home: &Home) -> Option<Arc<Asset>> {
        let local = home.assets.get(&AssetId::from("local"))?;
        Some(Arc::new(Asset {
            role: Some(self.role.clone()),
            ..Asset::clone(local)
        }))
    }

    /// What each try may use: manifest ∩ grant ∩ ceiling of the role.
    ///
    /// # Errors
    /// One of the three keys is missing.
    pub fn access(&self, manifest: &Manifest, target: &Asset, home: &Home) -> Result<Access, AccessError> {
        let step = Step {
            needs: Vec::new(),
            each: None,
            id: self.name.as_str().into(),
            does: Does::Plugin(self.plugin.clone()),
            when: None,
            with: Value::Null,
            grant: self.grant.clone(),
            ask_from: None,
            ask: None,
            expires: Duration::ZERO,
            timeout: self.timeout,
            retry: Default::default(),
            on_failure: Default::default(),
        };
        access(&step, manifest, target, home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_count_in_a_time() {
        let minute = Duration::from_secs(60);
        assert_eq!(
            Rate::parse("20 in 1m"),
            Some(Rate {
                count: 20,
                within: minute
            })
        );
        for wrong in ["", "20", "0 in 1m", "20 in 0s", "-1 in 1m", "20 in soon", "20 per 1m"] {
            assert_eq!(Rate::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_route_looks_at_all_of_its_filters() {
        let steel = CustomerId::from("steel");
        let (disk, other) = (RunbookName::from("disk"), RunbookName::from("other"));
        let route = Route {
            on: vec![Topic::Escalation],
            customers: vec![steel.clone()],
            grades: vec![Grade::High],
            runbooks: vec![disk.clone()],
            notify: vec![],
        };
        let right = Happened {
            topic: Topic::Escalation,
            customer: Some(&steel),
            grade: Some(Grade::High),
            runbook: &disk,
        };
        assert!(route.matches(right));
        let paper = CustomerId::from("paper");
        let wrong = [
            Happened {
                topic: Topic::Approval,
                ..right
            },
            Happened {
                customer: Some(&paper),
                ..right
            },
            Happened {
                customer: None,
                ..right
            },
            Happened {
                grade: Some(Grade::Low),
                ..right
            },
            Happened { grade: None, ..right },
            Happened {
                runbook: &other,
                ..right
            },
        ];
        assert!(wrong.into_iter().all(|happened| !route.matches(happened)));
    }
}
