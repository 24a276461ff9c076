//! What stands in braces: labels, and the metric's name if it is in quotes.

use super::fault::Limit;
use super::scan::{Cursor, Parsed, Quotes};
use super::written::Written;
use super::{Kind, Label};

const LABEL: &str = "labels are written `{name=\"value\",other=\"value\"}`";

/// How the formats differ in braces.
#[derive(Clone, Copy, Debug)]
pub(super) struct Braces {
    /// Blanks and tabs count for nothing, and a comma between two labels can be left out.
    pub loose: bool,
    pub names: Quotes,
    pub values: Quotes,
    /// Whose `le` or `quantile` may be a bound.
    pub kind: Option<Kind>,
}

/// The metric's name, as far as it is known.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'t> {
    /// It must come in the braces.
    Awaited,
    Known(Written<'t>),
    /// An exemplar has none.
    Never,
}

impl Braces {
    /// Reads on from after `{` to after `}`.
    #[inline]
    pub fn read<'t>(self, cursor: &mut Cursor<'t>, name: &mut Name<'t>, labels: &mut Vec<Label<'t>>) -> Parsed<()> {
        let open = cursor.at();
        loop {
            self.blanks(cursor);
            if cursor.skip(b'}') {
                return Ok(());
            }
            let start = cursor.at();
            let is_quoted = cursor.peek() == Some(b'"');
            let label = self.name(cursor)?;
            self.blanks(cursor);
            if is_quoted && matches!(cursor.peek(), Some(b',' | b'}')) {
                name.set(label, start, cursor)?;
                cursor.skip(b',');
                continue;
            }
            let value = self.value(cursor)?;
            cursor.check(labels.len() + 1, Limit::Labels, open)?;
            labels.push(self.label(label, value));
            self.blanks(cursor);
            if !cursor.skip(b',') && !self.loose && cursor.peek() != Some(b'}') {
                return Err(cursor.expected("`,` or `}` after a label's value").help(LABEL));
            }
        }
    }

    #[inline]
    fn blanks(self, cursor: &mut Cursor<'_>) {
        if self.loose {
            cursor.blanks();
        }
    }

    #[inline]
    fn name<'t>(self, cursor: &mut Cursor<'t>) -> Parsed<Written<'t>> {
        if let Some(bare) = cursor.bare_label()? {
            return Ok(bare);
        }
        if cursor.peek() != Some(b'"') {
            return Err(cursor.expected("a label's name or `}`").help(LABEL));
        }
        let open = cursor.at();
        let quoted = cursor.quoted(self.names, Limit::NameBytes)?;
        if quoted.raw().is_empty() {
            return Err(super::Slip::new(open, "expected a name in these quotes"));
        }
        Ok(quoted)
    }

    #[inline]
    fn value<'t>(self, cursor: &mut Cursor<'t>) -> Parsed<Written<'t>> {
        if !cursor.skip(b'=') {
            return Err(cursor.expected("`=` after a label's name").help(LABEL));
        }
        self.blanks(cursor);
        if cursor.peek() != Some(b'"') {
            return Err(cursor.expected("a label's value in double quotes").help(LABEL));
        }
        cursor.quoted(self.values, Limit::ValueBytes)
    }

    #[inline]
    fn label<'t>(self, name: Written<'t>, value: Written<'t>) -> Label<'t> {
        let is_bound = match self.kind {
            Some(Kind::Histogram) => name.raw() == "le",
            Some(Kind::Summary) => name.raw() == "quantile",
            _ => false,
        };
        let value = if is_bound { value.as_bound() } else { value };
        Label { name, value }
    }
}

impl<'t> Name<'t> {
    fn set(&mut self, name: Written<'t>, at: usize, cursor: &Cursor<'_>) -> Parsed<()> {
        match self {
            Self::Awaited => *self = Self::Known(name),
            Self::Known(_) => {
                return Err(super::Slip::new(at, "expected a label: the metric's name is known already").help(LABEL));
            }
            Self::Never => return Err(cursor.expected("`=` after a label's name")),
        }
        Ok(())
    }

    /// The name, now that the braces are closed.
    #[inline]
    pub fn known(self, brace: usize) -> Parsed<Written<'t>> {
        match self {
            Self::Known(name) => Ok(name),
            Self::Awaited | Self::Never => Err(super::Slip::new(
                brace,
                "expected a metric's name, before these braces or in quotes in them",
            )
            .help("a series is written `name{label=\"value\"}` or `{\"name\",label=\"value\"}`")),
        }
    }
}
