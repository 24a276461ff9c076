//! Reading TOML so that every problem of a file is found at once, each with its place.

use std::cell::{Cell, RefCell};
use std::ops::Range;

use toml::de::{DeString, DeTable, DeValue};

use super::At;
use super::value::{Fault, Value, kind_of};
use crate::grant::Capability;
use crate::name::is_name;
use crate::problem::{File, Problem, quoted};

/// A file and what is wrong with it so far.
pub(crate) struct Reader<'t> {
    pub file: File<'t>,
    problems: RefCell<Vec<Problem>>,
}

impl<'t> Reader<'t> {
    pub fn new(file: File<'t>) -> Self {
        Self {
            file,
            problems: RefCell::default(),
        }
    }

    pub fn say(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    pub fn into_problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    /// The document, unless it is no TOML.
    pub fn document(&self) -> Option<DeTable<'t>> {
        let (document, errors) = DeTable::parse_recoverable(self.file.text);
        for error in &errors {
            let span = error.span().unwrap_or_default();
            self.say(
                self.file
                    .problem("syntax", span, "this is no TOML")
                    .label(error.message()),
            );
        }
        errors.is_empty().then(|| document.into_inner())
    }

    /// The document as the table that everything hangs on.
    pub fn root<'r>(&'r self, document: &'r DeTable<'t>) -> Table<'r, 't> {
        Table {
            reader: self,
            name: "the file".to_owned(),
            span: 0..0,
            entries: document,
            known: RefCell::default(),
            sound: Cell::new(true),
        }
    }
}

/// A table that knows which keys it was asked for.
pub(crate) struct Table<'r, 't> {
    pub reader: &'r Reader<'t>,
    /// As messages name it: `[server]`.
    name: String,
    /// What is underlined if a key is missing: the header, or the table within braces.
    pub span: Range<usize>,
    entries: &'r DeTable<'t>,
    known: RefCell<Vec<&'static str>>,
    sound: Cell<bool>,
}

type Entry<'r, 't> = (&'r At<DeString<'t>>, &'r At<DeValue<'t>>);

impl<'r, 't> Table<'r, 't> {
    pub fn file(&self) -> File<'t> {
        self.reader.file
    }

    pub fn say(&self, problem: Problem) {
        self.sound.set(false);
        self.reader.say(problem);
    }

    pub fn problem(&self, code: &'static str, span: Range<usize>, message: impl Into<String>) -> Problem {
        self.file().problem(code, span, message)
    }

    /// Whether nothing was wrong with it so far.
    pub fn is_sound(&self) -> bool {
        self.sound.get()
    }

    /// Whether the key is there, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.entry(key).is_some()
    }

    pub fn key_span(&self, key: &str) -> Option<Range<usize>> {
        self.entry(key).map(|(key, _)| key.span())
    }

    pub fn required<T: Value>(&self, key: &'static str) -> Option<At<T>> {
        if !self.has(key) {
            self.know(key);
            let message = format!("{} lacks `{key}`", self.name);
            let problem = self.problem("missing-key", self.span.clone(), message);
            self.say(problem.label(format!("add `{key}`: {}", T::EXPECTED)));
        }
        self.optional(key)
    }

    pub fn optional<T: Value>(&self, key: &'static str) -> Option<At<T>> {
        self.know(key);
        let (_, value) = self.entry(key)?;
        match T::read(value) {
            Ok(read) => Some(At::new(value.span(), read)),
            Err(fault) => {
                self.say_fault(key, value, T::EXPECTED, fault);
                None
            }
        }
    }

    pub fn say_fault(&self, key: &str, value: &At<DeValue<'_>>, expected: &str, fault: Fault) {
        match fault {
            Fault::Type => self.wrong_type(key, value, expected),
            Fault::Part(span, found) => {
                let problem = self.problem("wrong-type", span, format!("`{key}` must be {expected}"));
                self.say(problem.label(format!("this is {found}")));
            }
            Fault::Value(write) => {
                let raw = self.file().text.get(value.span()).unwrap_or_default();
                let message = format!("`{key}` can't be `{}`", raw.trim_matches(['"', '\'']));
                self.say(self.problem("bad-value", value.span(), message).label(write));
            }
        }
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<At<T>> {
        let word = self.optional::<String>(key)?;
        let found = choices.iter().find(|(name, _)| name == word.get_ref());
        let Some((_, choice)) = found else {
            let names = choices.iter().map(|(name, _)| *name);
            let all = quoted(names.clone());
            let problem = self.problem(
                "bad-value",
                word.span(),
                format!("`{key}` can't be `{}`", word.get_ref()),
            );
            self.say(
                problem
                    .suggest(word.get_ref(), names)
                    .help(format!("it is one of {all}")),
            );
            return None;
        };
        Some(At::new(word.span(), *choice))
    }

    /// A table within, if there is one.
    pub fn table(&self, key: &'static str) -> Option<Table<'r, 't>> {
        self.know(key);
        let (_, value) = self.entry(key)?;
        let name = format!("`[{}]`", self.path(key));
        self.as_table(value, name, key)
    }

    /// The elements of `[[key]]`.
    pub fn tables(&self, key: &'static str) -> Vec<Table<'r, 't>> {
        self.know(key);
        let Some((_, value)) = self.entry(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let problem = self.problem("wrong-type", value.span(), format!("`{key}` is a list of tables"));
            self.say(problem.label(format!("write `[[{key}]]`")));
            return Vec::new();
        };
        let name = format!("`[[{key}]]`");
        items
            .iter()
            .filter_map(|item| self.as_table(item, name.clone(), key))
            .collect()
    }

    /// The tables of `[key.NAME]`, whatever they are named.
    pub fn named(&self, key: &'static str) -> Vec<(At<String>, Table<'r, 't>)> {
        let Some(table) = self.table(key) else {
            return Vec::new();
        };
        table.all()
    }

    /// Every entry as a named table.
    fn all(&self) -> Vec<(At<String>, Table<'r, 't>)> {
        let entries = self.entries.iter().filter_map(|(key, value)| {
            let name = key.get_ref().to_string();
            let table = self.as_table(value, format!("`[{}]`", self.path(&name)), &name)?;
            Some((At::new(key.span(), name), table))
        });
        entries.collect()
    }

    /// The entries of a table whose keys are data.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'r, 't>> + use<'r, 't> {
        self.entries.iter()
    }

    pub fn value(&self, key: &'static str) -> Option<&'r At<DeValue<'t>>> {
        self.know(key);
        self.entry(key).map(|(_, value)| value)
    }

    pub fn wrong_type(&self, key: &str, value: &At<DeValue<'_>>, expected: &str) {
        let problem = self.problem("wrong-type", value.span(), format!("`{key}` must be {expected}"));
        self.say(problem.label(format!("this is {}", kind_of(value.get_ref()))));
    }

    /// Tells of every key that nothing asked for. Returns whether the table is sound.
    pub fn finish(&self) -> bool {
        let known = self.known.borrow();
        for (key, _) in self.entries {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let problem = self.problem("unknown-key", key.span(), format!("{} has no key `{name}`", self.name));
            let problem = problem.suggest(name, known.iter().copied());
            let keys = quoted(known.iter());
            self.say(problem.help(format!("it has {keys}")));
        }
        self.is_sound()
    }

    fn as_table(&self, value: &'r At<DeValue<'t>>, name: String, key: &str) -> Option<Table<'r, 't>> {
        let DeValue::Table(entries) = value.get_ref() else {
            self.wrong_type(key, value, "a table");
            return None;
        };
        Some(Table {
            reader: self.reader,
            name,
            span: value.span(),
            entries,
            known: RefCell::default(),
            sound: Cell::new(true),
        })
    }

    fn entry(&self, key: &str) -> Option<Entry<'r, 't>> {
        self.entries.iter().find(|(name, _)| name.get_ref() == key)
    }

    fn know(&self, key: &'static str) {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
    }

    fn path(&self, key: &str) -> String {
        match self.name.strip_prefix("`[").and_then(|name| name.strip_suffix("]`")) {
            Some(name) => format!("{}.{key}", name.trim_matches(['[', ']'])),
            None => key.to_owned(),
        }
    }
}

const NAME_FORM: &str = "a name has lower-case letters, digits, `-`, `_` and `.`";

/// Checks that many keys have in common.
impl Table<'_, '_> {
    /// Whether the word can name a thing; `what` has its article.
    pub fn check_name(&self, what: &str, name: &At<String>) {
        if is_name(name.get_ref()) {
            return;
        }
        let message = format!("`{}` can't be the name of {what}", name.get_ref());
        let problem = self.problem("bad-name", name.span(), message);
        self.say(
            problem
                .label(NAME_FORM)
                .help("it begins with a letter or a digit, and has at most 63 of all these"),
        );
    }

    /// A string that says more than its type; `help` is what to write.
    pub fn check_value(&self, value: &At<String>, fault: Result<(), String>, help: &str) {
        if let Err(fault) = fault {
            self.say(self.problem("bad-value", value.span(), fault).help(help));
        }
    }

    pub fn check_verb(&self, capability: Capability, verb: &At<String>) {
        if capability.has_verb(verb.get_ref()) {
            return;
        }
        let message = format!("`{capability}` has no verb `{}`", verb.get_ref());
        let problem = self.problem("unknown-verb", verb.span(), message);
        self.say(with_verbs(problem, capability, verb.get_ref()));
    }
}

/// What can be done with the capability, and what was probably meant.
pub(crate) fn with_verbs(problem: Problem, capability: Capability, verb: &str) -> Problem {
    match capability {
        Capability::Http => {
            let methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
            problem
                .suggest(verb, methods)
                .help("a verb of `http` is a method in capitals")
        }
        _ => {
            let all = quoted(capability.verbs());
            problem
                .suggest(verb, capability.verbs().iter().copied())
                .help(format!("`{capability}` has {all}"))
        }
    }
}
