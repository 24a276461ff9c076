//! Reading tables so that every problem of a file is found at once, each with its place.

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use evenkeel_model::problem::{File, Level, Problem, quoted};
use toml::de::{DeTable, DeValue};

use super::tree::{Node, Scalar, Value, Written};
use super::yaml;

/// In which language a file is written; TOML keeps strings and numbers apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    Toml,
    Yaml,
}

impl Language {
    /// By the ending of a file's name.
    pub fn of(path: &str) -> Self {
        match path.ends_with(".toml") {
            true => Self::Toml,
            false => Self::Yaml,
        }
    }
}

/// Problems of a file that are told one by one; each takes a walk through the text.
const TOLD: usize = 100;

/// A file and what is wrong with it so far.
pub(super) struct Reader<'t> {
    pub file: File<'t>,
    language: Language,
    /// Nothing in a list is something with nothing in it, as in promtool's test files; in rule files it is left out.
    keeps_nothing: bool,
    problems: RefCell<Vec<Problem>>,
    /// How many are not told, and the level of the worst of them.
    untold: Cell<(usize, Option<Level>)>,
    /// Where each line but the first one begins.
    lines: Vec<usize>,
}

impl<'t> Reader<'t> {
    pub fn new(file: File<'t>, language: Language) -> Self {
        Self {
            file,
            language,
            keeps_nothing: false,
            problems: RefCell::default(),
            untold: Cell::default(),
            lines: file.text.match_indices('\n').map(|(at, _)| at + 1).collect(),
        }
    }

    /// Of a test file.
    pub fn of_tests(file: File<'t>) -> Self {
        Self {
            keeps_nothing: true,
            ..Self::new(file, Language::Yaml)
        }
    }

    pub fn say(&self, problem: Problem) {
        if !self.is_full() {
            return self.problems.borrow_mut().push(problem);
        }
        let (count, worst) = self.untold.get();
        let worst = worst.map_or(problem.level, |worst| worst.min(problem.level));
        self.untold.set((count + 1, Some(worst)));
    }

    /// Of what is not told, the place is not looked for.
    pub fn problem(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Problem {
        match self.is_full() {
            true => self.file.problem_as_a_whole(code, message),
            false => self.file.problem(code, span, message),
        }
    }

    pub fn is_full(&self) -> bool {
        self.problems.borrow().len() >= TOLD
    }

    /// From 1.
    pub fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at) + 1
    }

    /// In the order of their places.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by_key(|problem| problem.span.as_ref().map_or(0, |span| span.start));
        if let (count, Some(worst)) = self.untold.get() {
            let message = format!("{count} more problems of this file are not told");
            let more = self.file.problem_as_a_whole("more-problems", message);
            problems.push(match worst {
                Level::Error => more,
                Level::Warning => more.warning(),
            });
        }
        problems
    }

    /// What the file says; none: nothing, or it can't be read.
    pub fn document(&self) -> Option<Rc<Node>> {
        match self.language {
            Language::Yaml => match yaml::parse(self.file) {
                Ok(document) => {
                    document.noteworthy.into_iter().for_each(|problem| self.say(problem));
                    document.root
                }
                Err(problem) => {
                    self.say(*problem);
                    None
                }
            },
            Language::Toml => {
                let (document, errors) = DeTable::parse_recoverable(self.file.text);
                for error in &errors {
                    let span = error.span().unwrap_or_default();
                    let problem = self.file.problem("syntax", span, "this is no TOML");
                    self.say(problem.label(error.message()));
                }
                errors.is_empty().then(|| table(0..0, document.get_ref()))
            }
        }
    }

    /// The document as the table that everything hangs on; `what` names it.
    pub fn root(&self, node: &Rc<Node>, what: &str) -> Option<Fields<'_, 't>> {
        self.fields(node, what, "the file")
    }

    /// A thing as a table. `name` is how messages name it, `what` how they name its place.
    pub fn fields(&self, node: &Rc<Node>, name: &str, what: &str) -> Option<Fields<'_, 't>> {
        let is_empty = self.keeps_nothing && matches!(node.value, Value::Null);
        if !is_empty && !matches!(node.value, Value::Map(_)) {
            self.wrong_type(what, node, "a table");
            return None;
        }
        Some(Fields {
            reader: self,
            name: name.to_owned(),
            node: node.clone(),
            known: RefCell::default(),
            sound: Cell::new(true),
        })
    }

    fn wrong_type(&self, what: &str, node: &Node, expected: &str) {
        let problem = self.problem("wrong-type", node.span.clone(), format!("{what} must be {expected}"));
        self.say(problem.label(format!("this is {}", node.kind())));
    }

    /// A scalar as a string. YAML's numbers, booleans and dates are strings to whoever wants one.
    fn string(&self, node: &Node) -> Option<Written> {
        match &node.value {
            Value::Null if self.keeps_nothing => Some(Written {
                text: String::new(),
                span: node.span.clone(),
            }),
            Value::Scalar(kind, text) if self.language == Language::Yaml || *kind == Scalar::Text => Some(Written {
                text: text.clone(),
                span: node.span.clone(),
            }),
            _ => None,
        }
    }
}

fn table(span: Range<usize>, entries: &DeTable<'_>) -> Rc<Node> {
    let entries = entries.iter().map(|(key, value)| {
        let written = Written {
            text: key.get_ref().to_string(),
            span: key.span(),
        };
        (written, node(value))
    });
    let value = Value::Map(entries.collect());
    Rc::new(Node { span, value })
}

fn node(value: &toml::Spanned<DeValue<'_>>) -> Rc<Node> {
    let span = value.span();
    let value = match value.get_ref() {
        DeValue::Table(entries) => return table(span, entries),
        DeValue::Array(items) => Value::List(items.iter().map(node).collect()),
        DeValue::String(text) => Value::Scalar(Scalar::Text, text.to_string()),
        DeValue::Integer(integer) => {
            let value = i64::from_str_radix(integer.as_str(), integer.radix());
            Value::Scalar(
                value.map_or(Scalar::Float(f64::NAN), Scalar::Integer),
                integer.as_str().to_owned(),
            )
        }
        DeValue::Float(float) => {
            let value = float.as_str().parse().unwrap_or(f64::NAN);
            Value::Scalar(Scalar::Float(value), float.as_str().to_owned())
        }
        DeValue::Boolean(value) => Value::Scalar(Scalar::Bool(*value), value.to_string()),
        DeValue::Datetime(time) => Value::Scalar(Scalar::Date, time.to_string()),
    };
    Rc::new(Node { span, value })
}

/// A table that knows which keys it was asked for.
pub(super) struct Fields<'r, 't> {
    pub reader: &'r Reader<'t>,
    /// As messages name it: `a rule`.
    name: String,
    node: Rc<Node>,
    known: RefCell<Vec<&'static str>>,
    sound: Cell<bool>,
}

impl<'r, 't> Fields<'r, 't> {
    pub fn say(&self, problem: Problem) {
        self.sound.set(false);
        self.reader.say(problem);
    }

    pub fn problem(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Problem {
        self.reader.problem(code, span, message)
    }

    /// The table's first line, which is underlined if it is as a whole that is wrong.
    pub fn span(&self) -> Range<usize> {
        let span = self.node.span.clone();
        let text = self.reader.file.text.get(span.clone()).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end();
        span.start..span.start + line.len()
    }

    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.entry(key).map(|(key, _)| key.span.clone())
    }

    pub fn string(&self, key: &'static str) -> Option<Written> {
        let (_, node) = self.value(key)?;
        let string = self.reader.string(&node);
        if string.is_none() {
            self.wrong_type(key, &node, "a string");
        }
        string
    }

    pub fn integer(&self, key: &'static str) -> Option<i64> {
        let (_, node) = self.value(key)?;
        match node.value {
            Value::Scalar(Scalar::Integer(value), _) => Some(value),
            // What Prometheus takes for a whole number, its fraction cut off.
            Value::Scalar(Scalar::Float(value), _)
                if self.reader.language == Language::Yaml && value.abs() < i64::MAX as f64 =>
            {
                Some(value as i64)
            }
            _ => {
                self.wrong_type(key, &node, "a whole number");
                None
            }
        }
    }

    pub fn float(&self, key: &'static str) -> Option<f64> {
        let (_, node) = self.value(key)?;
        match node.value {
            Value::Scalar(Scalar::Integer(value), _) => Some(value as f64),
            Value::Scalar(Scalar::Float(value), _) => Some(value),
            _ => {
                self.wrong_type(key, &node, "a number");
                None
            }
        }
    }

    /// `yes` and `no` are taken where YAML is written, as Prometheus does.
    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        let (_, node) = self.value(key)?;
        let found = match &node.value {
            Value::Scalar(Scalar::Bool(value), _) => Some(*value),
            Value::Scalar(Scalar::Plain, text) => match text.as_str() {
                "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
                "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
                _ => None,
            },
            _ => None,
        };
        if found.is_none() {
            self.wrong_type(key, &node, "`true` or `false`");
        }
        found
    }

    /// Strings by name.
    pub fn strings_by_name(&self, key: &'static str) -> Vec<(Written, Written)> {
        let Some((_, node)) = self.value(key) else {
            return Vec::new();
        };
        let Value::Map(entries) = &node.value else {
            self.wrong_type(key, &node, "a table of strings");
            return Vec::new();
        };
        let strings = entries.iter().filter_map(|(name, value)| {
            let string = match value.value {
                Value::Null => Some(Written {
                    text: String::new(),
                    span: value.span.clone(),
                }),
                _ => self.reader.string(value),
            };
            if string.is_none() {
                self.wrong_type(&name.text, value, "a string");
            }
            Some((name.clone(), string?))
        });
        strings.collect()
    }

    /// The strings of a list; nothing among them is left out, as Prometheus does.
    pub fn strings(&self, key: &'static str) -> Vec<Written> {
        let items = self.items(key, "a list of strings");
        let strings = items.iter().filter_map(|item| {
            let string = self.reader.string(item);
            if string.is_none() {
                self.wrong_type(key, item, "a list of strings");
            }
            string
        });
        strings.collect()
    }

    /// The tables of a list.
    pub fn tables(&self, key: &'static str, name: &str) -> Vec<Fields<'r, 't>> {
        let items = self.items(key, "a list of tables");
        let what = format!("`{key}`");
        items
            .iter()
            .filter_map(|item| self.reader.fields(item, name, &what))
            .collect()
    }

    fn items(&self, key: &'static str, expected: &str) -> Vec<Rc<Node>> {
        let Some((_, node)) = self.value(key) else {
            return Vec::new();
        };
        let Value::List(items) = &node.value else {
            self.wrong_type(key, &node, expected);
            return Vec::new();
        };
        let is_there = |item: &&Rc<Node>| self.reader.keeps_nothing || !matches!(item.value, Value::Null);
        items.iter().filter(is_there).cloned().collect()
    }

    /// Tells of every key that nothing asked for. Returns whether the table is sound.
    pub fn finish(&self) -> bool {
        let known = self.known.borrow();
        let Value::Map(entries) = &self.node.value else {
            return self.sound.get();
        };
        for (key, _) in entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            self.sound.set(false);
            if self.reader.is_full() {
                self.reader.say(self.problem("unknown-key", key.span.clone(), ""));
                continue;
            }
            let message = format!("{} has no key `{}`", self.name, key.text);
            let problem = self.problem("unknown-key", key.span.clone(), message);
            let problem = problem.suggest(&key.text, known.iter().copied());
            self.say(problem.help(format!("it has {}", quoted(known.iter()))));
        }
        self.sound.get()
    }

    fn wrong_type(&self, key: &str, node: &Node, expected: &str) {
        self.sound.set(false);
        self.reader.wrong_type(&format!("`{key}`"), node, expected);
    }

    /// None: it is not there, or it is nothing.
    fn value(&self, key: &'static str) -> Option<(Written, Rc<Node>)> {
        self.known.borrow_mut().push(key);
        self.entry(key).filter(|(_, node)| !matches!(node.value, Value::Null))
    }

    fn entry(&self, key: &str) -> Option<(Written, Rc<Node>)> {
        let Value::Map(entries) = &self.node.value else {
            return None;
        };
        entries.iter().find(|(name, _)| name.text == key).cloned()
    }
}
