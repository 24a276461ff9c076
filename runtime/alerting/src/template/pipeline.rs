//! What stands within an action.

use std::sync::Arc;

use super::ast::{Command, Name, Pipe, Term, Word};
use super::fault::Fault;
use super::functions;
use super::lex::{Kind, Token};
use super::literal;
use super::parse::Parser;

impl Parser<'_> {
    /// Up to and with a closing delimiter or a right parenthesis.
    pub(super) fn pipeline(&mut self, context: &str, end: Kind) -> Result<Pipe, Fault> {
        let mut pipe = Pipe {
            at: self.peek_past_space().place.start,
            assigns: false,
            variables: Vec::new(),
            commands: Vec::new(),
        };
        self.declarations(context, &mut pipe)?;
        loop {
            let token = self.peek_past_space();
            match token.kind {
                kind if kind == end => {
                    self.next();
                    return self.checked(pipe, &token, context);
                }
                Kind::Bool
                | Kind::Character
                | Kind::Dot
                | Kind::Field
                | Kind::Identifier
                | Kind::Number
                | Kind::Nil
                | Kind::Raw
                | Kind::Quoted
                | Kind::Variable
                | Kind::LeftParen => pipe.commands.push(self.command()?),
                _ => return self.unexpected(&token, context),
            }
        }
    }

    /// `$a :=`, `$a =` or, in a `range`, `$a, $b :=`.
    fn declarations(&mut self, context: &str, pipe: &mut Pipe) -> Result<(), Fault> {
        loop {
            let variable = self.peek_past_space();
            if variable.kind != Kind::Variable {
                return Ok(());
            }
            let mark = self.mark();
            self.next();
            let sign = self.peek_past_space();
            let name: Name = Arc::from(self.word(&variable));
            match sign.kind {
                Kind::Assign | Kind::Declare => {
                    self.next();
                    pipe.assigns = sign.kind == Kind::Assign;
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    return Ok(());
                }
                Kind::Sign if self.word(&sign) == "," => {
                    self.next();
                    pipe.variables.push(name.clone());
                    self.variables.push(name);
                    if context != "range" || pipe.variables.len() > 1 {
                        return self.fail(sign.place, format!("too many declarations in {context}"));
                    }
                    let second = self.peek_past_space();
                    if !matches!(second.kind, Kind::Variable | Kind::Close | Kind::RightParen) {
                        return self.fail(second.place, "range can only initialize variables");
                    }
                }
                _ => {
                    self.back_to(mark);
                    return Ok(());
                }
            }
        }
    }

    fn checked(&self, pipe: Pipe, end: &Token, context: &str) -> Result<Pipe, Fault> {
        if pipe.commands.is_empty() {
            return self.fail(end.place.clone(), format!("missing value for {context}"));
        }
        for (n, command) in pipe.commands.iter().enumerate().skip(1) {
            let constant = matches!(
                command.words[0].term,
                Term::Bool(_) | Term::Dot | Term::Nil | Term::Number { .. } | Term::Text { .. }
            );
            if constant {
                let message = format!("non executable command in pipeline stage {}", n + 1);
                return self.fail(command.at..command.at + 1, message);
            }
        }
        Ok(pipe)
    }

    /// Words up to a `|`, which is taken, or the end of the pipeline, which is not.
    fn command(&mut self) -> Result<Command, Fault> {
        let at = self.peek_past_space().place.start;
        let mut words = Vec::new();
        loop {
            self.peek_past_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.peek();
            match token.kind {
                Kind::Space => {
                    self.next();
                }
                Kind::Close | Kind::RightParen => break,
                Kind::Pipe => {
                    self.next();
                    break;
                }
                _ => return self.unexpected(&token, "operand"),
            }
        }
        if words.is_empty() {
            return self.fail(at..at + 1, "empty command");
        }
        Ok(Command { at, words })
    }

    /// A term and the fields after it, without a space between them.
    fn operand(&mut self) -> Result<Option<Word>, Fault> {
        let Some(word) = self.term()? else { return Ok(None) };
        let first = self.peek();
        if first.kind != Kind::Field {
            return Ok(Some(word));
        }
        let mut names = Vec::new();
        while self.peek().kind == Kind::Field {
            let field = self.next();
            names.push(Name::from(&self.word(&field)[1..]));
        }
        let at = first.place.start;
        let term = match word.term {
            Term::Field(mut before) => {
                before.append(&mut names);
                Term::Field(before)
            }
            Term::Variable(name, mut before) => {
                before.append(&mut names);
                Term::Variable(name, before)
            }
            Term::Function(_) | Term::Pipe(_) | Term::Chain(..) => Term::Chain(Box::new(word), names),
            _ => return self.fail(first.place, format!("unexpected . after term {:?}", word.to_string())),
        };
        Ok(Some(Word { at, term }))
    }

    fn term(&mut self) -> Result<Option<Word>, Fault> {
        let mark = self.mark();
        let token = self.next_past_space();
        let written = self.word(&token);
        let term = match token.kind {
            Kind::Identifier => match functions::named(written) {
                Some(function) => Term::Function(function),
                None => return self.fail(token.place.clone(), format!("function {written:?} not defined")),
            },
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Bool => Term::Bool(written == "true"),
            Kind::Field => Term::Field(vec![Name::from(&written[1..])]),
            Kind::Variable if self.variables.iter().any(|name| **name == *written) => {
                Term::Variable(Name::from(written), Vec::new())
            }
            Kind::Variable => return self.fail(token.place.clone(), format!("undefined variable {written:?}")),
            Kind::Number | Kind::Character => self.number(&token)?,
            Kind::Quoted | Kind::Raw => Term::Text {
                written: Name::from(written),
                text: self.quoted(&token, "operand")?,
            },
            Kind::LeftParen => {
                self.deeper(&token.place)?;
                let pipe = self.pipeline("parenthesized pipeline", Kind::RightParen)?;
                self.shallower();
                let at = pipe.at;
                return Ok(Some(Word {
                    at,
                    term: Term::Pipe(Box::new(pipe)),
                }));
            }
            _ => {
                self.back_to(mark);
                return Ok(None);
            }
        };
        Ok(Some(Word {
            at: token.place.start,
            term,
        }))
    }

    fn number(&self, token: &Token) -> Result<Term, Fault> {
        let written = self.word(token);
        let number = if token.kind == Kind::Character {
            let malformed = || format!("malformed character constant: {written}");
            literal::character(written)
                .map(|int| literal::Number {
                    int: Some(int),
                    float: int as f64,
                    floating: false,
                })
                .ok_or_else(malformed)
        } else {
            literal::number(written)
        };
        match number {
            Ok(number) => Ok(Term::Number {
                written: Name::from(written),
                number,
            }),
            Err(message) => self.fail(token.place.clone(), message),
        }
    }
}
