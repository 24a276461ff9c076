//! Statements, one after another.

use std::ops::Range;
use std::sync::Arc;

use super::ast::{Branch, Invocation, Name, Part, Pipe, Statement};
use super::fault::{Fault, When, position};
use super::fmt;
use super::parse::Parsed;
use super::value::{Root, Value};
use super::world::{Failure, World, too_long};
use super::{Context, Query, VARIABLES};

/// Statements, pipelines and templates within each other while they are rendered.
const DEEPEST: usize = 128;

/// Variables that are passed over in a step.
const VARIABLES_A_STEP: usize = 32;

pub(super) fn render(
    text: &str,
    parsed: &Parsed,
    context: &Context<'_>,
    query: &mut Query<'_>,
) -> Result<String, Fault> {
    let root = Root {
        labels: context.labels.clone(),
        external_labels: context.external_labels.clone(),
        external_url: context.external_url.into(),
        value: context.value,
    };
    let values = [
        Value::Root(Arc::new(root)),
        Value::Labels(context.labels.clone()),
        Value::Labels(context.external_labels.clone()),
        Value::text(context.external_url),
        Value::Float(context.value),
    ];
    let dot = values[0].clone();
    let mut query = |text: &str| query(text);
    let mut renderer = Renderer {
        parsed,
        world: World::new(context, &mut query),
        variables: VARIABLES.into_iter().map(Arc::from).zip(values).collect(),
        out: String::new(),
        part: Part::Text(""),
        at: 0,
        within: None,
        depth: 0,
    };
    match renderer.statements(&dot, &parsed.body) {
        Ok(_) => Ok(renderer.out),
        Err(failure) => Err(renderer.fault(text, failure)),
    }
}

pub(super) struct Renderer<'a> {
    parsed: &'a Parsed,
    pub world: World<'a>,
    variables: Vec<(Name, Value)>,
    out: String,
    /// What an error is said to be at.
    part: Part<'a>,
    at: usize,
    within: Option<Name>,
    depth: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'a> Renderer<'a> {
    fn fault(&self, text: &str, failure: Failure) -> Fault {
        let context = self.part.to_string();
        Fault {
            when: When::Rendering,
            place: place(text, self.at, &context),
            message: failure.message,
            limit: failure.limit,
            position: position(text, self.at),
            context,
            within: self.within.as_deref().map(str::to_owned),
        }
    }

    pub fn at(&mut self, part: Part<'a>) {
        if let Some(at) = part.at() {
            self.at = at;
        }
        self.part = part;
    }

    pub fn deeper(&mut self) -> Result<(), Failure> {
        self.world.charge(1)?;
        self.depth += 1;
        if self.depth <= DEEPEST {
            return Ok(());
        }
        Err(Failure::limit(format!("nested more than {DEEPEST} deep when rendered")))
    }

    pub fn shallower(&mut self) {
        self.depth -= 1;
    }

    fn statements(&mut self, dot: &Value, list: &'a [Statement]) -> Result<Flow, Failure> {
        self.deeper()?;
        let mut flow = Flow::On;
        for statement in list {
            flow = self.statement(dot, statement)?;
            if flow != Flow::On {
                break;
            }
        }
        self.shallower();
        Ok(flow)
    }

    fn statement(&mut self, dot: &Value, statement: &'a Statement) -> Result<Flow, Failure> {
        match statement {
            Statement::Text(text) => self.write(text)?,
            Statement::Action(pipe) => {
                let value = self.pipe(dot, pipe)?;
                if pipe.variables.is_empty() {
                    let text = fmt::printed(&value, self.world.limits().text_bytes)?;
                    self.write(&text)?;
                }
            }
            Statement::If(branch) => return self.if_or_with(dot, branch, false),
            Statement::With(branch) => return self.if_or_with(dot, branch, true),
            Statement::Range(branch) => return self.range(dot, branch),
            Statement::Template(invocation) => self.invoke(dot, invocation)?,
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn write(&mut self, text: &str) -> Result<(), Failure> {
        let limit = self.world.limits().text_bytes;
        if self.out.len() + text.len() > limit {
            return Err(too_long(limit));
        }
        self.out.push_str(text);
        Ok(())
    }

    fn if_or_with(&mut self, dot: &Value, branch: &'a Branch, with: bool) -> Result<Flow, Failure> {
        let scope = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = if value.is_true() {
            self.statements(if with { &value } else { dot }, &branch.body)?
        } else {
            self.statements(dot, &branch.otherwise)?
        };
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn range(&mut self, dot: &Value, branch: &'a Branch) -> Result<Flow, Failure> {
        let scope = self.variables.len();
        let value = self.pipe(dot, &branch.pipe)?;
        let flow = match self.iterate(&value, branch)? {
            Some(_) => Flow::On,
            None => self.statements(dot, &branch.otherwise)?,
        };
        self.variables.truncate(scope);
        Ok(flow)
    }

    /// How often it went round; `None` for never.
    fn iterate(&mut self, value: &Value, branch: &'a Branch) -> Result<Option<usize>, Failure> {
        let mut pairs: Box<dyn Iterator<Item = (Value, Value)>> = match value {
            Value::Nil => return Ok(None),
            Value::Elements(elements) => Box::new(
                (0..)
                    .map(Value::Int)
                    .zip(elements.list().iter().map(|element| Value::Element(element.clone()))),
            ),
            Value::Labels(labels) => Box::new(
                labels
                    .iter()
                    .map(|(name, value)| (Value::text(name), Value::text(value))),
            ),
            Value::Args(args) => Box::new(
                args.named
                    .iter()
                    .map(|(name, value)| (Value::text(name.as_str()), value.clone())),
            ),
            _ => match value.int() {
                Some(_) if branch.pipe.variables.len() > 1 => {
                    let shown = fmt::printed(value, self.world.limits().text_bytes)?;
                    return Err(format!("can't use {shown} to iterate over more than one variable").into());
                }
                Some(count) => Box::new((0..count).map(|n| (Value::Nil, counted(value, n)))),
                None => {
                    let shown = fmt::printed(value, self.world.limits().text_bytes)?;
                    return Err(format!("range can't iterate over {shown}").into());
                }
            },
        };
        let mut rounds = None;
        for (index, element) in &mut pairs {
            rounds = Some(rounds.unwrap_or(0) + 1);
            if self.round(index, element, branch)? == Flow::Break {
                break;
            }
        }
        Ok(rounds)
    }

    fn round(&mut self, index: Value, element: Value, branch: &'a Branch) -> Result<Flow, Failure> {
        let pipe = &branch.pipe;
        let scope = self.variables.len();
        match (pipe.variables.as_slice(), pipe.assigns) {
            ([name], true) => self.assign(name, &element)?,
            ([first, second], true) => {
                self.assign(first, &index)?;
                self.assign(second, &element)?;
            }
            ([_], false) => self.variables[scope - 1].1 = element.clone(),
            ([_, _], false) => {
                self.variables[scope - 1].1 = element.clone();
                self.variables[scope - 2].1 = index;
            }
            _ => {}
        }
        let flow = self.statements(&element, &branch.body)?;
        self.variables.truncate(scope);
        Ok(flow)
    }

    fn invoke(&mut self, dot: &Value, invocation: &'a Invocation) -> Result<(), Failure> {
        self.at(Part::Template(invocation));
        let Some((name, body)) = self.parsed.defined.get_key_value(&invocation.name) else {
            return Err(format!("template {:?} not defined", invocation.name).into());
        };
        let dot = match &invocation.pipe {
            Some(pipe) => self.pipe(dot, pipe)?,
            None => Value::Nil,
        };
        let variables = std::mem::replace(&mut self.variables, vec![(Arc::from("$"), dot.clone())]);
        let within = self.within.replace(name.clone());
        self.statements(&dot, body)?;
        self.variables = variables;
        self.within = within;
        Ok(())
    }

    pub fn bind(&mut self, pipe: &Pipe, value: &Value) -> Result<(), Failure> {
        for name in &pipe.variables {
            if pipe.assigns {
                self.assign(name, value)?;
            } else {
                self.variables.push((name.clone(), value.clone()));
            }
        }
        Ok(())
    }

    fn assign(&mut self, name: &Name, value: &Value) -> Result<(), Failure> {
        self.world.charge(self.variables.len() / VARIABLES_A_STEP)?;
        let variable = self.variables.iter_mut().rfind(|(known, _)| known == name);
        match variable {
            Some((_, kept)) => *kept = value.clone(),
            None => return Err(format!("undefined variable: {name}").into()),
        }
        Ok(())
    }

    pub fn variable(&mut self, name: &Name) -> Result<Value, Failure> {
        self.world.charge(self.variables.len() / VARIABLES_A_STEP)?;
        let variable = self.variables.iter().rfind(|(known, _)| known == name);
        match variable {
            Some((_, value)) => Ok(value.clone()),
            None => Err(format!("undefined variable: {name}").into()),
        }
    }
}

/// The number of a round, in the type of the number of rounds.
fn counted(count: &Value, n: i64) -> Value {
    match count {
        Value::Byte(_) => u8::try_from(n).map_or(Value::Int(n), Value::Byte),
        Value::Month(_) => u32::try_from(n).map_or(Value::Int(n), Value::Month),
        Value::Weekday(_) => u32::try_from(n).map_or(Value::Int(n), Value::Weekday),
        _ => Value::Int(n),
    }
}

/// Where a part stands, as far as it is written as Go writes it.
fn place(text: &str, at: usize, context: &str) -> Range<usize> {
    let rest = text.get(at..).unwrap_or_default();
    let length = if rest.starts_with(context) {
        context.len()
    } else {
        rest.find("}}").unwrap_or(rest.len())
    };
    let start = at.min(text.len());
    start..start + length
}
