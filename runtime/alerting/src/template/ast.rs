//! A template, parsed; and each part written back as Go writes it where an error names it.

use std::fmt;
use std::sync::Arc;

use super::functions::Function;
use super::literal::Number;

pub(super) type Name = Arc<str>;

#[derive(Debug, Clone)]
pub(super) enum Statement {
    Text(Name),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Break,
    Continue,
    Template(Invocation),
}

#[derive(Debug, Clone)]
pub(super) struct Branch {
    pub pipe: Pipe,
    pub body: Vec<Statement>,
    pub otherwise: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub(super) struct Invocation {
    pub at: usize,
    pub name: Name,
    pub pipe: Option<Pipe>,
}

/// Commands, each taking the answer of the one before as its last argument.
#[derive(Debug, Clone)]
pub(super) struct Pipe {
    pub at: usize,
    /// `=` and no `:=`.
    pub assigns: bool,
    pub variables: Vec<Name>,
    pub commands: Vec<Command>,
}

#[derive(Debug, Clone)]
pub(super) struct Command {
    pub at: usize,
    /// At least one.
    pub words: Vec<Word>,
}

#[derive(Debug, Clone)]
pub(super) struct Word {
    pub at: usize,
    pub term: Term,
}

#[derive(Debug, Clone)]
pub(super) enum Term {
    Bool(bool),
    Dot,
    Nil,
    Number { written: Name, number: Number },
    Text { written: Name, text: Name },
    Field(Vec<Name>),
    Variable(Name, Vec<Name>),
    Function(Function),
    Pipe(Box<Pipe>),
    Chain(Box<Word>, Vec<Name>),
}

/// What is rendered at the moment.
#[derive(Clone, Copy)]
pub(super) enum Part<'a> {
    Pipe(&'a Pipe),
    Command(&'a Command),
    Word(&'a Word),
    Template(&'a Invocation),
    Text(&'a str),
}

impl Part<'_> {
    pub fn at(self) -> Option<usize> {
        match self {
            Self::Pipe(pipe) => Some(pipe.at),
            Self::Command(command) => Some(command.at),
            Self::Word(word) => Some(word.at),
            Self::Template(template) => Some(template.at),
            Self::Text(_) => None,
        }
    }
}

impl fmt::Display for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pipe(pipe) => pipe.fmt(f),
            Self::Command(command) => command.fmt(f),
            Self::Word(word) => word.fmt(f),
            Self::Template(template) => {
                write!(f, "{{{{template {:?}", template.name)?;
                if let Some(pipe) = &template.pipe {
                    write!(f, " {pipe}")?;
                }
                f.write_str("}}")
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            f.write_str(&self.variables.join(", "))?;
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (n, command) in self.commands.iter().enumerate() {
            f.write_str(if n > 0 { " | " } else { "" })?;
            command.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, word) in self.words.iter().enumerate() {
            f.write_str(if n > 0 { " " } else { "" })?;
            match &word.term {
                Term::Pipe(pipe) => write!(f, "({pipe})")?,
                _ => word.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl fmt::Display for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.term {
            Term::Bool(value) => write!(f, "{value}"),
            Term::Dot => f.write_str("."),
            Term::Nil => f.write_str("nil"),
            Term::Number { written, .. } | Term::Text { written, .. } => f.write_str(written),
            Term::Field(names) => fields(f, names),
            Term::Variable(name, names) => {
                f.write_str(name)?;
                fields(f, names)
            }
            Term::Function(function) => f.write_str(function.name),
            Term::Pipe(pipe) => pipe.fmt(f),
            Term::Chain(word, names) => {
                match &word.term {
                    Term::Pipe(pipe) => write!(f, "({pipe})")?,
                    _ => word.fmt(f)?,
                }
                fields(f, names)
            }
        }
    }
}

fn fields(f: &mut fmt::Formatter<'_>, names: &[Name]) -> fmt::Result {
    names.iter().try_for_each(|name| write!(f, ".{name}"))
}
