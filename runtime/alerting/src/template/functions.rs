//! Every function that a template may call, by name.

use super::value::{Elements, Value};
use super::world::{Answer, Failure, World};
use super::{builtin, compare, escape, humanize, network, pattern, time, title};

/// The type of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    Any,
    /// Any as well, in Go's own functions.
    Value,
    Text,
    Element,
    Elements,
}

impl Param {
    pub fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Value => "reflect.Value",
            Self::Text => "string",
            Self::Element => "*template.sample",
            Self::Elements => "template.queryResult",
        }
    }
}

pub(super) type Run = fn(&mut World<'_>, &[Value]) -> Answer;

#[derive(Debug, Clone, Copy)]
pub(super) struct Function {
    pub name: &'static str,
    pub params: &'static [Param],
    /// The type of all further arguments, where it takes any.
    pub rest: Option<Param>,
    pub run: Run,
}

impl Function {
    pub const fn new(name: &'static str, params: &'static [Param], rest: Option<Param>, run: Run) -> Self {
        Self {
            name,
            params,
            rest,
            run,
        }
    }

    /// The type of an argument, from 0.
    pub fn param(&self, n: usize) -> Param {
        self.params.get(n).copied().or(self.rest).unwrap_or(Param::Any)
    }
}

pub(super) fn named(name: &str) -> Option<Function> {
    FUNCTIONS.iter().find(|function| function.name == name).copied()
}

const ANY: &[Param] = &[Param::Any];
const VALUE: &[Param] = &[Param::Value];
const TWO: &[Param] = &[Param::Value, Param::Value];
const TEXT: &[Param] = &[Param::Text];
const TEXTS: &[Param] = &[Param::Text, Param::Text];
const THREE: &[Param] = &[Param::Text, Param::Text, Param::Text];
const MORE: Option<Param> = Some(Param::Any);
const VALUES: Option<Param> = Some(Param::Value);

pub(super) const FUNCTIONS: &[Function] = &[
    // `and` and `or` are done before their arguments are evaluated.
    Function::new("and", VALUE, VALUES, |_, _| Ok(Value::Nil)),
    Function::new("or", VALUE, VALUES, |_, _| Ok(Value::Nil)),
    Function::new("not", VALUE, None, |_, args| Ok(Value::Bool(!args[0].is_true()))),
    Function::new("call", VALUE, VALUES, |_, args| builtin::call(args)),
    Function::new("len", VALUE, None, |_, args| builtin::len(&args[0])),
    Function::new("index", VALUE, VALUES, |_, args| builtin::index(args)),
    Function::new("slice", VALUE, VALUES, |_, args| builtin::slice(args)),
    Function::new("print", &[], MORE, builtin::print),
    Function::new("printf", TEXT, MORE, builtin::printf),
    Function::new("println", &[], MORE, builtin::println),
    Function::new("html", &[], MORE, |world, args| escape::with(world, args, escape::html)),
    Function::new("js", &[], MORE, |world, args| escape::with(world, args, escape::js)),
    Function::new("urlquery", &[], MORE, |world, args| {
        escape::with(world, args, escape::query)
    }),
    Function::new("eq", VALUE, VALUES, |world, args| compare::eq(world, args)),
    Function::new("ne", TWO, None, |world, args| compare::ne(world, args)),
    Function::new("lt", TWO, None, |_, args| compare::lt(args)),
    Function::new("le", TWO, None, |world, args| compare::le(world, args)),
    Function::new("gt", TWO, None, |world, args| compare::gt(world, args)),
    Function::new("ge", TWO, None, |_, args| compare::ge(args)),
    Function::new("query", TEXT, None, builtin::query),
    Function::new("first", &[Param::Elements], None, |_, args| builtin::first(&args[0])),
    Function::new("label", &[Param::Text, Param::Element], None, |_, args| {
        builtin::label(text(args, 0), &args[1])
    }),
    Function::new("value", &[Param::Element], None, |_, args| builtin::value(&args[0])),
    Function::new("strvalue", &[Param::Element], None, |_, args| {
        builtin::label("__value__", &args[0])
    }),
    Function::new("sortByLabel", &[Param::Text, Param::Elements], None, |world, args| {
        builtin::sort_by_label(world, text(args, 0), &args[1])
    }),
    Function::new("args", &[], MORE, |_, args| builtin::args(args)),
    Function::new("safeHtml", TEXT, None, |_, args| Ok(Value::Html(text(args, 0).into()))),
    Function::new("match", TEXTS, None, |world, args| {
        pattern::matches(world, text(args, 0), text(args, 1))
    }),
    Function::new("reReplaceAll", THREE, None, |world, args| {
        pattern::replace(world, text(args, 0), text(args, 1), text(args, 2))
    }),
    Function::new("title", TEXT, None, |_, args| {
        Ok(Value::text(title::title(text(args, 0))))
    }),
    Function::new("toUpper", TEXT, None, |_, args| {
        Ok(Value::text(title::upper(text(args, 0))))
    }),
    Function::new("toLower", TEXT, None, |_, args| {
        Ok(Value::text(title::lower(text(args, 0))))
    }),
    Function::new("graphLink", TEXT, None, |_, args| Ok(network::link(text(args, 0), 0))),
    Function::new("tableLink", TEXT, None, |_, args| Ok(network::link(text(args, 0), 1))),
    Function::new("stripPort", TEXT, None, |_, args| {
        Ok(network::strip_port(text(args, 0)))
    }),
    Function::new("stripDomain", TEXT, None, |_, args| {
        Ok(network::strip_domain(text(args, 0)))
    }),
    Function::new("externalURL", &[], None, |world, _| {
        Ok(Value::text(world.context.external_url))
    }),
    Function::new("pathPrefix", &[], None, |world, _| {
        Ok(Value::text(network::path(world.context.external_url)))
    }),
    Function::new("humanize", ANY, None, |_, args| humanize::number(&args[0])),
    Function::new("humanize1024", ANY, None, |_, args| humanize::binary(&args[0])),
    Function::new("humanizeDuration", ANY, None, |_, args| humanize::duration(&args[0])),
    Function::new("humanizePercentage", ANY, None, |_, args| {
        humanize::percentage(&args[0])
    }),
    Function::new("humanizeTimestamp", ANY, None, |_, args| time::humanize(&args[0])),
    Function::new("toTime", ANY, None, |_, args| {
        time::from_value(&args[0]).map(Value::Time)
    }),
    Function::new("parseDuration", TEXT, None, |_, args| {
        time::parse_duration(text(args, 0))
    }),
];

/// An argument that is a `string` for its parameter is one.
pub(super) fn text(args: &[Value], n: usize) -> &str {
    args.get(n).and_then(Value::str).unwrap_or_default()
}

pub(super) fn elements(value: &Value) -> Option<&Elements> {
    match value {
        Value::Elements(elements) => Some(elements),
        _ => None,
    }
}

/// What Go says of a pointer to nothing.
pub(super) fn nil_pointer() -> Failure {
    "runtime error: invalid memory address or nil pointer dereference".into()
}
