//! YAML as Prometheus reads it: the core schema with the old spellings of numbers, merge keys, one document.
//!
//! *Invariant:* aliases are counted as what they stand for, so no text grows in memory beyond [`MOST`] things.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::rc::Rc;

use evenkeel_model::problem::{File, Problem};
use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::scalar::resolved;
use super::tree::{Node, Scalar, Value, Written};

/// Things of a file, each alias counted with all that it stands for.
const MOST: usize = 500_000;
/// Lists and tables within each other.
const DEEPEST: usize = 32;

/// The first document of a file.
pub(crate) struct Document {
    /// None: it says nothing.
    pub root: Option<Rc<Node>>,
    /// Warnings.
    pub noteworthy: Vec<Problem>,
}

pub(crate) fn parse(file: File<'_>) -> Result<Document, Box<Problem>> {
    check_characters(file)?;
    let mut builder = Builder::new(file);
    let mut parser = Parser::new_from_str(file.text);
    let mut ended = false;
    while let Some(next) = parser.next_event() {
        let (event, span) = match next {
            Ok(next) => next,
            // What follows the first document is nobody's.
            Err(_) if ended => break,
            Err(error) => {
                let at = builder.places.byte(*error.marker());
                let problem = file.problem("syntax", at..at + 1, "this is no YAML");
                return Err(problem.label(error.info()).into());
            }
        };
        match event {
            Event::DocumentStart(_) if ended => {
                let problem = file.problem(
                    "second-document",
                    builder.places.span(span),
                    "only the first document is read",
                );
                let label = "what follows is ignored, by Prometheus too";
                return Ok(builder.document(vec![problem.label(label).warning()]));
            }
            Event::DocumentEnd => ended = true,
            event => builder.take(event, span)?,
        }
    }
    Ok(builder.document(Vec::new()))
}

/// What libyaml reads; the parser takes more.
fn check_characters(file: File<'_>) -> Result<(), Box<Problem>> {
    let allowed =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..);
    if let Some((at, c)) = file.text.char_indices().find(|(_, c)| !allowed(*c)) {
        let problem = file.problem("syntax", at..at + c.len_utf8(), "this is no YAML");
        return Err(problem
            .label("a control character; write it as an escape within double quotes")
            .into());
    }
    let version = file
        .text
        .strip_prefix("%YAML ")
        .and_then(|rest| rest.split_whitespace().next());
    if let Some(version) = version.filter(|version| !matches!(*version, "1.1" | "1.2")) {
        let problem = file.problem("syntax", 6..6 + version.len(), "this is no YAML that is read here");
        return Err(problem.label("it is 1.1 or 1.2").into());
    }
    Ok(())
}

/// Characters as bytes.
struct Places {
    /// Of each character; empty where every character is a byte.
    bytes: Vec<usize>,
    length: usize,
}

impl Places {
    fn new(text: &str) -> Self {
        let bytes = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self {
            bytes,
            length: text.len(),
        }
    }

    fn byte(&self, marker: Marker) -> usize {
        match self.bytes.is_empty() {
            true => marker.index().min(self.length),
            false => self.bytes.get(marker.index()).copied().unwrap_or(self.length),
        }
    }

    fn span(&self, span: Span) -> Range<usize> {
        let start = self.byte(span.start);
        start..self.byte(span.end).max(start)
    }
}

/// What is open: a list, or a table with the key whose value comes next.
enum Open {
    List(Vec<Rc<Node>>),
    Map {
        entries: Vec<(Key, Rc<Node>)>,
        key: Option<Key>,
    },
}

struct Key {
    node: Rc<Node>,
    merges: bool,
}

struct Level {
    open: Open,
    start: usize,
    anchor: usize,
    /// Things before it, so that those within can be counted.
    before: usize,
}

struct Builder<'t> {
    file: File<'t>,
    places: Places,
    levels: Vec<Level>,
    /// By the parser's number, with how many things each is.
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    count: usize,
    root: Option<Rc<Node>>,
}

impl<'t> Builder<'t> {
    fn new(file: File<'t>) -> Self {
        Self {
            file,
            places: Places::new(file.text),
            levels: Vec::new(),
            anchors: HashMap::new(),
            count: 0,
            root: None,
        }
    }

    fn document(self, noteworthy: Vec<Problem>) -> Document {
        let root = self.root.filter(|root| !matches!(root.value, Value::Null));
        Document { root, noteworthy }
    }

    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), Box<Problem>> {
        let span = self.places.span(span);
        match event {
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Scalar(text, style, anchor, tag) => {
                let plain = style == ScalarStyle::Plain;
                let merges = plain && text == "<<" && tag.is_none();
                let span = self.token(span, style);
                let value = self.scalar(text.into_owned(), plain, tag.as_deref(), &span)?;
                self.count(1, &span)?;
                let node = Rc::new(Node { span, value });
                if anchor > 0 {
                    self.anchors.insert(anchor, (node.clone(), 1));
                }
                self.place(node, merges)
            }
            Event::SequenceStart(anchor, _) => self.open(Open::List(Vec::new()), anchor, span),
            Event::MappingStart(anchor, _) => {
                let entries = Vec::new();
                self.open(Open::Map { entries, key: None }, anchor, span)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            _ => Ok(()),
        }
    }

    fn alias(&mut self, anchor: usize, span: Range<usize>) -> Result<(), Box<Problem>> {
        let Some((node, size)) = self.anchors.get(&anchor).cloned() else {
            return Err(self
                .file
                .problem("syntax", span, "an alias stands within what it names")
                .into());
        };
        self.count(size, &span)?;
        self.place(node, false)
    }

    fn open(&mut self, open: Open, anchor: usize, span: Range<usize>) -> Result<(), Box<Problem>> {
        if self.levels.len() >= DEEPEST {
            let message = format!("lists and tables are nested deeper than {DEEPEST}");
            return Err(self.file.problem("too-deep", span, message).into());
        }
        let before = self.count;
        self.count(1, &span)?;
        self.levels.push(Level {
            open,
            start: span.start,
            anchor,
            before,
        });
        Ok(())
    }

    fn close(&mut self, end: Range<usize>) -> Result<(), Box<Problem>> {
        let Some(level) = self.levels.pop() else {
            return Ok(());
        };
        let span = level.start..end.end.max(level.start);
        let value = match level.open {
            Open::List(items) => Value::List(items),
            Open::Map { entries, .. } => Value::Map(self.entries(entries)?),
        };
        let node = Rc::new(Node { span, value });
        if level.anchor > 0 {
            self.anchors
                .insert(level.anchor, (node.clone(), self.count - level.before));
        }
        self.place(node, false)
    }

    fn place(&mut self, node: Rc<Node>, merges: bool) -> Result<(), Box<Problem>> {
        match self.levels.last_mut().map(|level| &mut level.open) {
            None => self.root = self.root.take().or(Some(node)),
            Some(Open::List(items)) => items.push(node),
            Some(Open::Map { entries, key }) => match key.take() {
                None => *key = Some(Key { node, merges }),
                Some(key) => entries.push((key, node)),
            },
        }
        Ok(())
    }

    /// The entries with what is merged into them; what stands here goes before what is merged.
    fn entries(&mut self, entries: Vec<(Key, Rc<Node>)>) -> Result<Vec<(Written, Rc<Node>)>, Box<Problem>> {
        let mut merged: Vec<Rc<Node>> = Vec::new();
        let mut own: Vec<(Written, Rc<Node>)> = Vec::new();
        let mut known: HashSet<String> = HashSet::new();
        for (key, value) in entries {
            let text = match &key.node.value {
                Value::Scalar(_, text) => text.clone(),
                // Prometheus leaves out what has no key.
                Value::Null => continue,
                _ => {
                    let problem = self
                        .file
                        .problem("wrong-type", key.node.span.clone(), "a key must be a string");
                    return Err(problem.label(format!("this is {}", key.node.kind())).into());
                }
            };
            let span = key.node.span.clone();
            if !known.insert(text.clone()) {
                let problem = self
                    .file
                    .problem("duplicate-key", span, format!("`{text}` stands here twice"));
                return Err(problem.label("take one of the two away").into());
            }
            if key.merges {
                merged.push(value);
                continue;
            }
            own.push((Written { text, span }, value));
        }
        for value in merged {
            self.merge(&value, &mut own, &mut known, true)?;
        }
        Ok(own)
    }

    fn merge(
        &mut self,
        from: &Node,
        own: &mut Vec<(Written, Rc<Node>)>,
        known: &mut HashSet<String>,
        lists: bool,
    ) -> Result<(), Box<Problem>> {
        match &from.value {
            Value::Map(entries) => {
                self.count(entries.len(), &from.span)?;
                for (key, value) in entries {
                    if known.insert(key.text.clone()) {
                        own.push((key.clone(), value.clone()));
                    }
                }
                Ok(())
            }
            Value::List(items) if lists => items.iter().try_for_each(|item| self.merge(item, own, known, false)),
            _ => {
                let problem = self.file.problem(
                    "wrong-type",
                    from.span.clone(),
                    "`<<` merges a table, or a list of tables",
                );
                Err(problem.label(format!("this is {}", from.kind())).into())
            }
        }
    }

    fn count(&mut self, things: usize, span: &Range<usize>) -> Result<(), Box<Problem>> {
        self.count = self.count.saturating_add(things);
        match self.count > MOST {
            true => {
                let message = format!("the file says more than {MOST} things, aliases counted as what they stand for");
                Err(self.file.problem("too-big", span.clone(), message).into())
            }
            false => Ok(()),
        }
    }

    /// The bytes of a scalar: a block has its first line too, which tells how it is read.
    fn token(&self, span: Range<usize>, style: ScalarStyle) -> Range<usize> {
        let text = self.file.text;
        let sign = match style {
            ScalarStyle::Literal => '|',
            ScalarStyle::Folded => '>',
            _ => return span,
        };
        if text[span.start..].starts_with(sign) {
            return span;
        }
        text[..span.start]
            .rfind(sign)
            .map_or(span.clone(), |start| start..span.end)
    }

    fn scalar(&self, text: String, plain: bool, tag: Option<&Tag>, span: &Range<usize>) -> Result<Value, Box<Problem>> {
        let Some(tag) = tag else {
            return Ok(match plain {
                true => resolved(text),
                false => Value::Scalar(Scalar::Text, text),
            });
        };
        let core = tag.handle == "tag:yaml.org,2002:" || tag.handle == "!!";
        match (core, tag.suffix.as_str()) {
            (true, "str") | (false, "") => Ok(Value::Scalar(Scalar::Text, text)),
            _ => {
                let handle = if core { "!!" } else { &tag.handle };
                let message = format!("the tag `{handle}{}` is not read here", tag.suffix);
                let problem = self.file.problem("unknown-tag", span.clone(), message);
                Err(problem.label("write the value without it").into())
            }
        }
    }
}
