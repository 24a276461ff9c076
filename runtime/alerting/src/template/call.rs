//! Pipelines, commands and arguments.

use super::ast::{Command, Name, Part, Pipe, Term, Word};
use super::fields;
use super::functions::{Function, Param};
use super::literal::Number;
use super::render::Renderer;
use super::value::{Elements, Value};
use super::world::{Answer, Failure};

/// What is given to a function or a field: words after its name, and the answer of the command before.
#[derive(Clone, Copy)]
pub(super) struct Given<'a, 'v> {
    pub dot: &'v Value,
    pub words: &'a [Word],
    pub last: Option<&'v Value>,
}

impl Given<'_, '_> {
    fn is_empty(&self) -> bool {
        self.words.is_empty() && self.last.is_none()
    }
}

impl<'a> Renderer<'a> {
    pub(super) fn pipe(&mut self, dot: &Value, pipe: &'a Pipe) -> Answer {
        self.deeper()?;
        self.at(Part::Pipe(pipe));
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value.as_ref())?);
        }
        let value = value.unwrap_or(Value::Nil);
        self.bind(pipe, &value)?;
        self.shallower();
        Ok(value)
    }

    fn command(&mut self, dot: &Value, command: &'a Command, last: Option<&Value>) -> Answer {
        self.world.charge(1)?;
        let word = &command.words[0];
        let given = Given {
            dot,
            words: &command.words[1..],
            last,
        };
        match &word.term {
            Term::Field(names) => self.field(dot, word, names, given),
            Term::Variable(name, names) => self.variable_of(word, name, names, given),
            Term::Chain(inner, names) => self.chain(word, inner, names, given),
            Term::Function(function) => {
                self.at(Part::Word(word));
                self.call(Part::Command(command), *function, None, given)
            }
            Term::Pipe(pipe) => {
                no_function(word, given)?;
                self.pipe(dot, pipe)
            }
            Term::Nil => {
                self.at(Part::Word(word));
                no_function(word, given)?;
                Err("nil is not a command".into())
            }
            Term::Bool(_) | Term::Dot | Term::Number { .. } | Term::Text { .. } => {
                self.at(Part::Word(word));
                no_function(word, given)?;
                constant(dot, &word.term)
            }
        }
    }

    fn field(&mut self, dot: &Value, word: &'a Word, names: &'a [Name], given: Given<'a, '_>) -> Answer {
        self.at(Part::Word(word));
        self.fields(word, dot.clone(), names, given)
    }

    fn variable_of(&mut self, word: &'a Word, name: &Name, names: &'a [Name], given: Given<'a, '_>) -> Answer {
        self.at(Part::Word(word));
        let value = self.variable(name)?;
        if names.is_empty() {
            no_function(word, given)?;
            return Ok(value);
        }
        self.fields(word, value, names, given)
    }

    fn chain(&mut self, word: &'a Word, inner: &'a Word, names: &'a [Name], given: Given<'a, '_>) -> Answer {
        self.at(Part::Word(word));
        let value = match &inner.term {
            Term::Function(function) => {
                self.at(Part::Word(inner));
                self.call(Part::Word(inner), *function, None, nothing(given.dot))?
            }
            _ => self.argument(given.dot, Param::Value, inner)?,
        };
        self.fields(word, value, names, given)
    }

    /// The last of the names may be a method that takes what is given.
    fn fields(&mut self, word: &'a Word, value: Value, names: &'a [Name], given: Given<'a, '_>) -> Answer {
        let (mut value, mut boxed) = (value, false);
        for (n, name) in names.iter().enumerate() {
            let given = if n + 1 == names.len() {
                given
            } else {
                nothing(given.dot)
            };
            if let Some(method) = fields::method(&value, name)? {
                value = self.call(Part::Word(word), method, Some(value), given)?;
                boxed = false;
                continue;
            }
            (value, boxed) = fields::field(&value, boxed, name, !given.is_empty())?;
        }
        Ok(value)
    }

    fn call(&mut self, part: Part<'a>, function: Function, of: Option<Value>, given: Given<'a, '_>) -> Answer {
        let all = given.words.len() + usize::from(given.last.is_some());
        let wanted = function.params.len();
        if function.rest.is_some() && all < wanted {
            let message = format!(
                "wrong number of args for {}: want at least {wanted} got {}",
                function.name,
                given.words.len()
            );
            return Err(message.into());
        }
        if function.rest.is_none() && all != wanted {
            return Err(format!("wrong number of args for {}: want {wanted} got {all}", function.name).into());
        }
        if matches!(function.name, "and" | "or") {
            return self.first_that_decides(function.name == "or", given);
        }
        let mut args: Vec<Value> = of.into_iter().collect();
        for (n, word) in given.words.iter().enumerate() {
            args.push(self.argument(given.dot, function.param(n), word)?);
        }
        if let Some(last) = given.last {
            args.push(fitting(last.clone(), function.param(given.words.len()))?);
        }
        if function.name == "call" {
            args.push(callee(given));
        }
        let answer = (function.run)(&mut self.world, &args).and_then(|value| {
            self.world.charge_text(value.str().map_or(0, str::len))?;
            Ok(value)
        });
        answer.map_err(|failure| {
            self.at(part);
            Failure {
                message: format!("error calling {}: {}", function.name, failure.message),
                limit: failure.limit,
            }
        })
    }

    /// `and` and `or` evaluate no further than they must.
    fn first_that_decides(&mut self, or: bool, given: Given<'a, '_>) -> Answer {
        let mut value = Value::Nil;
        for word in given.words {
            value = self.argument(given.dot, Param::Value, word)?;
            if value.is_true() == or {
                return Ok(value);
            }
        }
        Ok(given.last.cloned().unwrap_or(value))
    }

    fn argument(&mut self, dot: &Value, param: Param, word: &'a Word) -> Answer {
        self.world.charge(1)?;
        self.at(Part::Word(word));
        let given = nothing(dot);
        let value = match &word.term {
            Term::Dot => dot.clone(),
            Term::Nil if param == Param::Text => return Err("cannot assign nil to string".into()),
            Term::Nil => return fitting(Value::Nil, param),
            Term::Field(names) => self.field(dot, word, names, given)?,
            Term::Variable(name, names) => self.variable_of(word, name, names, given)?,
            Term::Pipe(pipe) => self.pipe(dot, pipe)?,
            Term::Function(function) => self.call(Part::Word(word), *function, None, given)?,
            Term::Chain(inner, names) => self.chain(word, inner, names, given)?,
            Term::Bool(_) | Term::Number { .. } | Term::Text { .. } => return literal(param, word),
        };
        fitting(value, param)
    }
}

fn nothing(dot: &Value) -> Given<'static, '_> {
    Given {
        dot,
        words: &[],
        last: None,
    }
}

fn no_function(word: &Word, given: Given<'_, '_>) -> Result<(), Failure> {
    if given.is_empty() {
        return Ok(());
    }
    let part = match &word.term {
        Term::Pipe(pipe) => pipe.to_string(),
        _ => word.to_string(),
    };
    Err(format!("can't give argument to non-function {part}").into())
}

fn constant(dot: &Value, term: &Term) -> Answer {
    Ok(match term {
        Term::Bool(value) => Value::Bool(*value),
        Term::Text { text, .. } => Value::Text(text.clone()),
        Term::Number { number, written } => match number {
            Number {
                floating: true, float, ..
            } => Value::Float(*float),
            Number { int: Some(int), .. } => Value::Int(*int),
            _ => return Err(format!("{written} overflows int").into()),
        },
        _ => dot.clone(),
    })
}

/// A constant where a parameter has a type.
fn literal(param: Param, word: &Word) -> Answer {
    match (param, &word.term) {
        (Param::Any | Param::Value, term) => constant(&Value::Nil, term),
        (Param::Text, Term::Text { text, .. }) => Ok(Value::Text(text.clone())),
        (Param::Text, _) => Err(format!("expected string; found {word}").into()),
        _ => Err(format!("can't handle {word} for arg of type {}", param.type_name()).into()),
    }
}

/// A value where a parameter has a type.
fn fitting(value: Value, param: Param) -> Answer {
    let fits = match (param, &value) {
        (Param::Any | Param::Value, _)
        | (Param::Text, Value::Text(_))
        | (Param::Element, Value::Element(_) | Value::Nil)
        | (Param::Elements, Value::Elements(_)) => true,
        (Param::Elements, Value::Nil) => return Ok(Value::Elements(Elements::new(Vec::new()))),
        (Param::Text, Value::Nil) => return Err("invalid value; expected string".into()),
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    let message = format!(
        "wrong type for value; expected {}; got {}",
        param.type_name(),
        value.type_name()
    );
    Err(message.into())
}

/// What `call` names in its error.
fn callee(given: Given<'_, '_>) -> Value {
    match (given.words.first(), given.last) {
        (Some(word), _) => Value::text(word.to_string()),
        (None, Some(Value::Text(text))) => Value::Text(text.clone()),
        (None, Some(last)) => Value::text(format!("<{} Value>", last.type_name())),
        (None, None) => Value::Nil,
    }
}
