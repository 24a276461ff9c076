//! Stands in for `template` until it is there: `$labels.x` and `$value` alone.

use std::ops::Range;

use crate::promql::{Element, Labels};

#[derive(Clone, Debug)]
pub struct Template(String);

#[derive(Clone, Debug)]
pub struct Fault {
    pub place: Range<usize>,
    pub message: String,
}

pub struct Context<'a> {
    pub labels: &'a Labels,
    pub value: f64,
    pub external_labels: &'a Labels,
    pub external_url: &'a str,
    pub path_prefix: &'a str,
}

impl Fault {
    pub fn in_prometheus_words(&self, name: &str) -> String {
        format!("{name}: {}", self.message)
    }
}

impl Template {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        Ok(Self(text.to_owned()))
    }

    pub fn render(
        &self,
        context: &Context<'_>,
        _: &mut dyn FnMut(&str) -> Result<Vec<Element>, String>,
    ) -> Result<String, Fault> {
        let mut text = self.0.replace("{{ $value }}", &context.value.to_string());
        for (name, value) in context.labels.iter() {
            text = text.replace(&format!("{{{{ $labels.{name} }}}}"), value);
        }
        Ok(text)
    }
}
