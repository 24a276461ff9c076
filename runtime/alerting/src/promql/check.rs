//! From what the parser says to an expression that can be evaluated, or to a refusal with its place.

use std::ops::Range;

use evenkeel_model::pattern::anchored;
use evenkeel_model::runbook::{MatchOp, Matcher};
use promql_parser::parser::{self, Expr, LabelModifier, VectorMatchCardinality, VectorSelector};

use super::ast::{Aggregate, Aggregator, Binary, Call, Cardinality, Kind, Matching, Node, Selector, Subquery, Type};
use super::error::{Refusal, Why};
use super::functions::{self, Signature};
use super::labels::NAME;
use super::lex::{Lexeme, Reading};
use super::selector::{matchers, operator, positive, shift};
use super::syntax;

/// All that the parser says of a word out of turn.
const NO_REASON: &str = "invalid promql query";
/// Levels of the tree; evaluating is recursive.
const DEEPEST: usize = 100;

pub(super) fn check(text: &str) -> Result<Node, Refusal> {
    let reading = Reading::new(text)?;
    let parsed = parser::parse(&reading.rewritten).map_err(|message| {
        let (place, message) = match syntax::out_of_turn(&reading) {
            Some(found) if message == NO_REASON => found,
            _ => (0..text.len(), message),
        };
        Refusal::new(Why::Invalid, place, message)
    })?;
    if let Some(place) = syntax::misplaced_plus(&reading) {
        return Err(Refusal::new(
            Why::Invalid,
            place,
            "`+` takes a scalar or an instant vector",
        ));
    }
    Lowering {
        reading,
        next: 0,
        depth: 0,
    }
    .node(&parsed)
}

/// Walks the tree in the order of the text, and the words beside it.
struct Lowering<'t> {
    reading: Reading<'t>,
    next: usize,
    depth: usize,
}

impl Lowering<'_> {
    fn node(&mut self, parsed: &Expr) -> Result<Node, Refusal> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Refusal::new(
                Why::TooBig,
                self.here(),
                format!("more than {DEEPEST} levels deep"),
            ));
        }
        let start = self.here().start;
        let (place, kind) = self.kind(parsed)?;
        self.depth -= 1;
        Ok(Node {
            place: place.unwrap_or(start..self.end()),
            kind,
        })
    }

    /// A place where the words name one; otherwise it is all that was walked over.
    fn kind(&mut self, parsed: &Expr) -> Result<(Option<Range<usize>>, Kind), Refusal> {
        Ok(match parsed {
            Expr::Paren(paren) => {
                let inner = self.node(&paren.expr)?;
                (Some(inner.place), inner.kind)
            }
            Expr::NumberLiteral(number) => (
                self.find(|lexeme, _| matches!(lexeme, Lexeme::Number | Lexeme::Duration(_))),
                Kind::Number(number.val),
            ),
            Expr::StringLiteral(text) => (
                self.find(|lexeme, _| lexeme == Lexeme::Text),
                Kind::Text(text.val.clone()),
            ),
            Expr::VectorSelector(selector) => {
                let (place, selector) = self.selector(selector)?;
                (Some(place), Kind::Selector(selector))
            }
            Expr::MatrixSelector(matrix) => {
                let (place, selector) = self.selector(&matrix.vs)?;
                let range = positive(matrix.range, &place)?;
                (Some(place), Kind::Range(selector, range))
            }
            Expr::Subquery(subquery) => self.subquery(subquery)?,
            Expr::Unary(unary) => {
                let place = self.find(|_, word| word == "-");
                let inner = self.node(&unary.expr)?;
                self.expect(&inner, &[Type::Scalar, Type::Vector], "`-`")?;
                (place, Kind::Negate(Box::new(inner)))
            }
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Call(call) => self.call(call)?,
            Expr::Extension(_) => return Err(Refusal::new(Why::Unsupported, self.here(), "no PromQL")),
        })
    }

    /// The next word that fits, and goes on behind it.
    fn find(&mut self, fits: impl Fn(Lexeme, &str) -> bool) -> Option<Range<usize>> {
        let rest = self.reading.tokens.get(self.next..)?;
        let found = rest
            .iter()
            .position(|token| fits(token.lexeme, self.reading.word(token)))?;
        self.next += found + 1;
        Some(rest[found].place.clone())
    }

    fn here(&self) -> Range<usize> {
        let length = self.reading.text.len();
        self.reading
            .tokens
            .get(self.next)
            .map_or(length..length, |token| token.place.clone())
    }

    fn end(&self) -> usize {
        self.next
            .checked_sub(1)
            .and_then(|i| self.reading.tokens.get(i))
            .map_or(0, |token| token.place.end)
    }

    fn expect(&self, node: &Node, types: &[Type], by: &str) -> Result<(), Refusal> {
        let found = node.value_type();
        if types.contains(&found) {
            return Ok(());
        }
        let wanted: Vec<&str> = types.iter().map(|wanted| wanted.name()).collect();
        let message = format!("{by} takes a {}, and this is a {found}", wanted.join(" or a "));
        Err(Refusal::new(Why::Invalid, node.place.clone(), message))
    }

    fn selector(&mut self, parsed: &VectorSelector) -> Result<(Range<usize>, Selector), Refusal> {
        let name = parsed.name.as_deref();
        let place = self.find(|lexeme, word| match name {
            Some(name) => lexeme == Lexeme::Word && word == name,
            None => word == "{",
        });
        let place = place.unwrap_or_else(|| self.here());
        let mut matchers = matchers(&parsed.matchers, &place)?;
        if let Some(name) = name {
            matchers.insert(
                0,
                Matcher {
                    label: NAME.into(),
                    op: MatchOp::Equal(name.into()),
                },
            );
        }
        if matchers.iter().all(|matcher| matcher.matches("")) {
            let message = "a selector must ask for something that is not empty";
            return Err(Refusal::new(Why::Invalid, place, message));
        }
        let shift = shift(parsed.at.as_ref(), parsed.offset.as_ref(), &place)?;
        Ok((place, Selector { matchers, shift }))
    }

    fn subquery(&mut self, parsed: &parser::SubqueryExpr) -> Result<(Option<Range<usize>>, Kind), Refusal> {
        let inner = Box::new(self.node(&parsed.expr)?);
        self.expect(&inner, &[Type::Vector], "a subquery")?;
        let place = inner.place.clone();
        let range_ms = positive(parsed.range, &place)?;
        let step_ms = parsed.step.map(|step| positive(step, &place)).transpose()?;
        let shift = shift(parsed.at.as_ref(), parsed.offset.as_ref(), &place)?;
        Ok((
            None,
            Kind::Subquery(Subquery {
                inner,
                range_ms,
                step_ms,
                shift,
            }),
        ))
    }

    fn binary(&mut self, parsed: &parser::BinaryExpr) -> Result<(Option<Range<usize>>, Kind), Refusal> {
        let left = Box::new(self.node(&parsed.lhs)?);
        let (symbol, op) =
            operator(parsed.op.id()).ok_or_else(|| Refusal::new(Why::Invalid, self.here(), "no operator"))?;
        let place = self.find(|_, word| word.eq_ignore_ascii_case(symbol));
        let right = Box::new(self.node(&parsed.rhs)?);
        let vectors = [Type::Vector];
        let types = if op.is_set() {
            &vectors[..]
        } else {
            &[Type::Scalar, Type::Vector]
        };
        self.expect(&left, types, &format!("`{symbol}`"))?;
        self.expect(&right, types, &format!("`{symbol}`"))?;
        let mut matching = Matching {
            on: false,
            labels: Vec::new(),
            cardinality: Cardinality::OneToOne,
            include: Vec::new(),
        };
        let mut as_bool = false;
        if let Some(modifier) = &parsed.modifier {
            let refusal = |why, message: &str| Refusal::new(why, place.clone().unwrap_or_default(), message);
            if modifier.fill_values.lhs.is_some() || modifier.fill_values.rhs.is_some() {
                return Err(refusal(
                    Why::Unsupported,
                    "`fill` is not evaluated here: it is experimental",
                ));
            }
            as_bool = modifier.return_bool;
            if let Some(labels) = &modifier.matching {
                matching.on = labels.is_include();
                matching.labels.clone_from(&labels.labels().labels);
            }
            (matching.cardinality, matching.include) = match &modifier.card {
                VectorMatchCardinality::ManyToOne(labels) => (Cardinality::ManyToOne, labels.labels.clone()),
                VectorMatchCardinality::OneToMany(labels) => (Cardinality::OneToMany, labels.labels.clone()),
                _ => (Cardinality::OneToOne, Vec::new()),
            };
            let grouped = matching.cardinality != Cardinality::OneToOne;
            if grouped && (op.is_set() || left.value_type() == Type::Scalar || right.value_type() == Type::Scalar) {
                return Err(refusal(
                    Why::Invalid,
                    "`group_left` and `group_right` are for arithmetic and comparisons of two vectors",
                ));
            }
        }
        Ok((
            place,
            Kind::Binary(Binary {
                op,
                left,
                right,
                as_bool,
                matching,
            }),
        ))
    }

    fn aggregate(&mut self, parsed: &parser::AggregateExpr) -> Result<(Option<Range<usize>>, Kind), Refusal> {
        let name = parsed.op.to_string();
        let place = self.find(|lexeme, word| lexeme == Lexeme::Word && word.eq_ignore_ascii_case(&name));
        let op = functions::aggregator(&name).ok_or_else(|| {
            Refusal::new(
                Why::Unsupported,
                place.clone().unwrap_or_default(),
                format!("`{name}` is not evaluated here"),
            )
        })?;
        self.skip_labels();
        let parameter = parsed
            .param
            .as_ref()
            .map(|parameter| self.node(parameter))
            .transpose()?;
        if let Some(parameter) = &parameter {
            let wanted = if op == Aggregator::CountValues {
                Type::Text
            } else {
                Type::Scalar
            };
            self.expect(parameter, &[wanted], &format!("`{name}`"))?;
            if matches!(&parameter.kind, Kind::Text(label) if label.is_empty()) {
                return Err(Refusal::new(
                    Why::Invalid,
                    parameter.place.clone(),
                    "a label has a name",
                ));
            }
        }
        let inner = Box::new(self.node(&parsed.expr)?);
        self.expect(&inner, &[Type::Vector], &format!("`{name}`"))?;
        self.skip_labels();
        let (without, labels) = match &parsed.modifier {
            Some(LabelModifier::Exclude(labels)) => (true, labels.labels.clone()),
            Some(LabelModifier::Include(labels)) => (false, labels.labels.clone()),
            None => (false, Vec::new()),
        };
        Ok((
            place,
            Kind::Aggregate(Aggregate {
                op,
                inner,
                parameter: parameter.map(Box::new),
                without,
                labels,
            }),
        ))
    }

    /// Goes on behind `by (…)`, so that no label is taken for a metric of its name.
    fn skip_labels(&mut self) {
        let mut ahead = self.reading.tokens[self.next.min(self.reading.tokens.len())..]
            .iter()
            .map(|token| self.reading.word(token));
        let closing = ahead.by_ref().take_while(|word| *word == ")").count();
        let word = self
            .reading
            .tokens
            .get(self.next + closing)
            .map(|token| self.reading.word(token).to_ascii_lowercase());
        if matches!(word.as_deref(), Some("by" | "without")) {
            self.next += closing;
            self.find(|_, word| word == ")");
        }
    }

    fn call(&mut self, parsed: &parser::Call) -> Result<(Option<Range<usize>>, Kind), Refusal> {
        let name = parsed.func.name;
        let place = self.find(|lexeme, word| lexeme == Lexeme::Word && word == name);
        let here = place.clone().unwrap_or_else(|| self.here());
        let Some(signature) = functions::signature(name) else {
            return Err(Refusal::new(
                Why::Unsupported,
                here,
                format!("`{name}` is not evaluated here"),
            ));
        };
        let count = parsed.args.args.len();
        if count < signature.at_least || (count > signature.takes.len() && !signature.repeats) {
            let message = format!(
                "`{name}` takes {} arguments, and {count} are given",
                signature.takes.len()
            );
            return Err(Refusal::new(Why::Invalid, here, message));
        }
        let plus = matches!(name, "absent" | "timestamp") && syntax::plus_follows(&self.reading, self.next);
        let mut args = parsed
            .args
            .args
            .iter()
            .map(|arg| self.node(arg))
            .collect::<Result<Vec<_>, _>>()?;
        self.arguments(&signature, &args)?;
        if plus {
            args = args.into_iter().map(Node::calculated).collect();
        }
        Ok((
            place,
            Kind::Call(Call {
                name: signature.name,
                args,
            }),
        ))
    }

    fn arguments(&self, signature: &Signature, args: &[Node]) -> Result<(), Refusal> {
        for (i, arg) in args.iter().enumerate() {
            if let Some(wanted) = signature.takes.get(i).or(signature.takes.last()) {
                self.expect(arg, &[*wanted], &format!("`{}`", signature.name))?;
            }
        }
        let labels_and_pattern = match signature.name {
            "label_replace" => (Some(1), Some(4)),
            "label_join" => (Some(1), None),
            _ => (None, None),
        };
        if let Some(Node {
            kind: Kind::Text(text),
            place,
        }) = labels_and_pattern.0.and_then(|i: usize| args.get(i))
            && text.is_empty()
        {
            return Err(Refusal::new(Why::Invalid, place.clone(), "a label has a name"));
        }
        if let Some(Node {
            kind: Kind::Text(text),
            place,
        }) = labels_and_pattern.1.and_then(|i: usize| args.get(i))
        {
            anchored(text).map_err(|why| Refusal::new(Why::Invalid, place.clone(), why))?;
        }
        Ok(())
    }
}
