//! Values of labels and annotations, with what stands in braces filled in.

use std::sync::Arc;

use crate::promql::{Element, Labels};
use crate::template::{self, Context, Fault, Limits, Template};

/// A value as it was written, and as a template; without braces it stands for itself.
#[derive(Clone, Debug)]
pub struct Text {
    source: Arc<str>,
    /// None: there is nothing to fill in.
    template: Option<Arc<Result<Template, Fault>>>,
}

/// What all values of a home have in common.
#[derive(Clone, Debug, Default)]
pub struct Externals {
    /// `$externalLabels`.
    pub labels: Labels,
    /// `$externalURL`.
    pub url: String,
}

/// What answers `query`.
pub(super) type Ask<'a> = template::Query<'a>;

impl Text {
    pub(super) fn new(source: &str) -> Self {
        let template = source.contains("{{").then(|| Arc::new(Template::parse(source)));
        Self {
            source: source.into(),
            template,
        }
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether it can be read; none of a value without braces.
    pub(super) fn template(&self) -> Result<(), Fault> {
        match self.template.as_deref() {
            Some(Err(fault)) => Err(fault.clone()),
            _ => Ok(()),
        }
    }

    /// As Prometheus writes it for the alert `name`; what goes wrong is said in its place.
    pub(super) fn expand(&self, name: &str, of: &Element, externals: &Externals, ask: &mut Ask<'_>) -> String {
        let Some(template) = self.template.as_deref() else {
            return self.source.to_string();
        };
        let context = Context {
            labels: &of.labels,
            value: of.value,
            external_labels: &externals.labels,
            external_url: &externals.url,
            limits: Limits::default(),
        };
        let expanded = match template {
            Ok(template) => template.render(&context, ask),
            Err(fault) => Err(fault.clone()),
        };
        let name = format!("__alert_{name}");
        expanded.unwrap_or_else(|fault| format!("<error expanding template: {}>", fault.in_prometheus_words(&name)))
    }
}
