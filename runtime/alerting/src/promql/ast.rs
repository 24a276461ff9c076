//! An expression that has passed the checks: types are right and every function is there.

use std::fmt;
use std::ops::Range;

use evenkeel_model::runbook::Matcher;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Scalar,
    Text,
    /// One value a series.
    Vector,
    /// A window of samples a series.
    Matrix,
}

impl Type {
    pub fn name(self) -> &'static str {
        match self {
            Type::Scalar => "scalar",
            Type::Text => "string",
            Type::Vector => "instant vector",
            Type::Matrix => "range vector",
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub place: Range<usize>,
    pub kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Number(f64),
    Text(String),
    Selector(Selector),
    Range(Selector, i64),
    Subquery(Subquery),
    Negate(Box<Node>),
    Binary(Binary),
    Aggregate(Aggregate),
    Call(Call),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Start,
    End,
    Time(i64),
}

/// What moves the time of a selector or a subquery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    pub at: Option<At>,
    pub offset_ms: i64,
}

#[derive(Debug, Clone)]
pub(super) struct Selector {
    pub matchers: Vec<Matcher>,
    pub shift: Shift,
}

#[derive(Debug, Clone)]
pub(super) struct Subquery {
    pub inner: Box<Node>,
    pub range_ms: i64,
    pub step_ms: Option<i64>,
    pub shift: Shift,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Atan2,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    And,
    Or,
    Unless,
}

impl Op {
    pub fn is_comparison(self) -> bool {
        use Op::{Equal, Greater, GreaterEqual, Less, LessEqual, NotEqual};
        matches!(self, Equal | NotEqual | Less | LessEqual | Greater | GreaterEqual)
    }

    pub fn is_set(self) -> bool {
        matches!(self, Op::And | Op::Or | Op::Unless)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cardinality {
    OneToOne,
    ManyToOne,
    OneToMany,
}

#[derive(Debug, Clone)]
pub(super) struct Matching {
    /// `on (labels)`; otherwise `ignoring (labels)`.
    pub on: bool,
    pub labels: Vec<String>,
    pub cardinality: Cardinality,
    /// Labels that come from the side of one.
    pub include: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Binary {
    pub op: Op,
    pub left: Box<Node>,
    pub right: Box<Node>,
    pub as_bool: bool,
    pub matching: Matching,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Aggregator {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Topk,
    Bottomk,
    Quantile,
    CountValues,
}

#[derive(Debug, Clone)]
pub(super) struct Aggregate {
    pub op: Aggregator,
    pub inner: Box<Node>,
    pub parameter: Option<Box<Node>>,
    /// `without (labels)`; otherwise `by (labels)`.
    pub without: bool,
    pub labels: Vec<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Call {
    pub name: &'static str,
    pub args: Vec<Node>,
}

impl Node {
    /// The same values, but no longer a selector itself: so `+` changes what `timestamp` and `absent` say.
    pub fn calculated(self) -> Self {
        let place = self.place.clone();
        let negated = Self {
            place: place.clone(),
            kind: Kind::Negate(Box::new(self)),
        };
        Self {
            place,
            kind: Kind::Negate(Box::new(negated)),
        }
    }

    pub fn value_type(&self) -> Type {
        match &self.kind {
            Kind::Number(_) => Type::Scalar,
            Kind::Text(_) => Type::Text,
            Kind::Selector(_) | Kind::Aggregate(_) => Type::Vector,
            Kind::Range(..) | Kind::Subquery(_) => Type::Matrix,
            Kind::Negate(inner) => inner.value_type(),
            Kind::Binary(binary) => match (binary.left.value_type(), binary.right.value_type()) {
                (Type::Scalar, Type::Scalar) => Type::Scalar,
                _ => Type::Vector,
            },
            Kind::Call(call) => super::functions::returns(call.name),
        }
    }
}
