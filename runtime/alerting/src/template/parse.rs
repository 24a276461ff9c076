//! Statements out of tokens: Go's grammar. What an action may hold is read by `pipeline`.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::ast::{Branch, Invocation, Name, Statement};
use super::fault::{Fault, When, position};
use super::lex::{Kind, Token, lex};
use super::literal::{is_space, unquote};
use super::{DEEPEST, LONGEST};

/// A template and those that it defines.
#[derive(Debug, Clone)]
pub(super) struct Parsed {
    pub body: Vec<Statement>,
    pub defined: BTreeMap<Name, Vec<Statement>>,
}

pub(super) fn parse(text: &str, variables: &[&str]) -> Result<Parsed, Fault> {
    if text.len() > LONGEST {
        let mut fault = fault(text, 0..text.len(), format!("longer than {LONGEST} bytes"));
        fault.limit = true;
        return Err(fault);
    }
    let tokens = lex(text).map_err(|wrong| fault(text, wrong.place, wrong.message))?;
    let mut parser = Parser {
        text,
        tokens,
        at: 0,
        depth: 0,
        loops: 0,
        variables: variables.iter().map(|name| Arc::from(*name)).collect(),
        defined: BTreeMap::new(),
    };
    let body = parser.top()?;
    Ok(Parsed {
        body,
        defined: parser.defined,
    })
}

pub(super) struct Parser<'t> {
    pub text: &'t str,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    /// `range`s that are open.
    loops: usize,
    /// In scope, with `$`.
    pub variables: Vec<Name>,
    defined: BTreeMap<Name, Vec<Statement>>,
}

/// What ended a list of statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    End,
    Else,
    Text,
}

impl Parser<'_> {
    fn top(&mut self) -> Result<Vec<Statement>, Fault> {
        let mut body = Vec::new();
        match self.statements(true, &mut body)? {
            (Stop::Text, _) => Ok(body),
            (Stop::End, keyword) => self.fail(keyword, "unexpected {{end}}"),
            (Stop::Else, keyword) => self.fail(keyword, "unexpected {{else}}"),
        }
    }

    /// Until `{{end}}` or `{{else`, whose keyword is taken, or the end of the text; and where that stands.
    fn statements(&mut self, top: bool, list: &mut Vec<Statement>) -> Result<(Stop, Range<usize>), Fault> {
        loop {
            let token = self.next();
            match token.kind {
                Kind::Text => list.push(Statement::Text(Arc::from(self.word(&token)))),
                Kind::End => return Ok((Stop::Text, token.place)),
                _ => {
                    let keyword = self.peek_past_space();
                    let word = if keyword.kind == Kind::Keyword {
                        self.word(&keyword)
                    } else {
                        ""
                    };
                    match word {
                        "end" => {
                            self.next_past_space();
                            self.expect(Kind::Close, "end")?;
                            return Ok((Stop::End, keyword.place));
                        }
                        "else" => {
                            self.next_past_space();
                            return Ok((Stop::Else, keyword.place));
                        }
                        "define" if top => self.definition()?,
                        "define" => return self.fail(keyword.place, "unexpected {{define}}"),
                        _ => list.push(self.action()?),
                    }
                }
            }
        }
    }

    fn action(&mut self) -> Result<Statement, Fault> {
        let token = self.peek_past_space();
        if token.kind != Kind::Keyword {
            return Ok(Statement::Action(self.pipeline("command", Kind::Close)?));
        }
        self.next_past_space();
        let word = self.word(&token).to_owned();
        match word.as_str() {
            "if" | "with" | "range" => self.control(&word, token.place),
            "break" | "continue" if self.loops == 0 => {
                self.fail(token.place, format!("{{{{{word}}}}} outside {{{{range}}}}"))
            }
            "break" | "continue" => {
                self.expect(Kind::Close, &format!("{{{{{word}}}}}"))?;
                Ok(if word == "break" {
                    Statement::Break
                } else {
                    Statement::Continue
                })
            }
            "template" => self.invocation().map(Statement::Template),
            "block" => self.block().map(Statement::Template),
            _ => self.fail(token.place, format!("unexpected <{word}> in command")),
        }
    }

    /// After `if`, `with` or `range`, up to and with its `{{end}}`.
    fn control(&mut self, word: &str, place: Range<usize>) -> Result<Statement, Fault> {
        self.deeper(&place)?;
        let scope = self.variables.len();
        let pipe = self.pipeline(word, Kind::Close)?;
        let mut branch = Branch {
            pipe,
            body: Vec::new(),
            otherwise: Vec::new(),
        };
        let loops = usize::from(word == "range");
        self.loops += loops;
        let (mut stop, _) = self.statements(false, &mut branch.body)?;
        self.loops -= loops;
        if stop == Stop::Else {
            stop = self.otherwise(word, &mut branch.otherwise)?;
        }
        if stop != Stop::End {
            return self.fail(place, format!("`{word}` without its {{{{end}}}}"));
        }
        self.variables.truncate(scope);
        self.depth -= 1;
        Ok(match word {
            "if" => Statement::If(branch),
            "with" => Statement::With(branch),
            _ => Statement::Range(branch),
        })
    }

    /// After `else`: `else if` and `else with` are a statement of their own that takes the `{{end}}` too.
    fn otherwise(&mut self, word: &str, list: &mut Vec<Statement>) -> Result<Stop, Fault> {
        let token = self.peek_past_space();
        if token.kind == Kind::Keyword && self.word(&token) == word && word != "range" {
            self.next_past_space();
            list.push(self.control(word, token.place)?);
            return Ok(Stop::End);
        }
        self.expect(Kind::Close, "else")?;
        match self.statements(false, list)? {
            (Stop::Else, keyword) => self.fail(keyword, "unexpected second {{else}}"),
            (stop, _) => Ok(stop),
        }
    }

    fn invocation(&mut self) -> Result<Invocation, Fault> {
        let (at, name) = self.template_name("template clause")?;
        let pipe = if self.peek_past_space().kind == Kind::Close {
            self.next_past_space();
            None
        } else {
            Some(self.pipeline("template clause", Kind::Close)?)
        };
        Ok(Invocation { at, name, pipe })
    }

    /// A definition and its use at once.
    fn block(&mut self) -> Result<Invocation, Fault> {
        let (at, name) = self.template_name("block clause")?;
        let pipe = self.pipeline("block clause", Kind::Close)?;
        self.body_of(at, &name)?;
        Ok(Invocation {
            at,
            name,
            pipe: Some(pipe),
        })
    }

    fn definition(&mut self) -> Result<(), Fault> {
        self.next_past_space();
        let (at, name) = self.template_name("define clause")?;
        self.expect(Kind::Close, "define clause")?;
        self.body_of(at, &name)
    }

    /// What is defined sees no variable of what is around it.
    fn body_of(&mut self, at: usize, name: &Name) -> Result<(), Fault> {
        self.deeper(&(at..at + 1))?;
        let variables = std::mem::replace(&mut self.variables, vec![Arc::from("$")]);
        let loops = std::mem::take(&mut self.loops);
        let mut body = Vec::new();
        if self.statements(false, &mut body)?.0 != Stop::End {
            return self.fail(at..at + 1, format!("template {name:?} without its {{{{end}}}}"));
        }
        self.variables = variables;
        self.loops = loops;
        self.depth -= 1;
        match self.defined.get(name) {
            Some(before) if !is_empty(before) && !is_empty(&body) => {
                return self.fail(at..at + 1, format!("multiple definition of template {name:?}"));
            }
            Some(before) if !is_empty(before) => {}
            _ => {
                self.defined.insert(name.clone(), body);
            }
        }
        Ok(())
    }

    fn template_name(&mut self, context: &str) -> Result<(usize, Name), Fault> {
        let token = self.next_past_space();
        Ok((token.place.start, self.quoted(&token, context)?))
    }

    /// The text of a string.
    pub fn quoted(&self, token: &Token, context: &str) -> Result<Name, Fault> {
        let written = self.word(token);
        match token.kind {
            // Go drops carriage returns from raw strings.
            Kind::Raw => Ok(written[1..written.len() - 1].replace('\r', "").into()),
            Kind::Quoted => match unquote(written) {
                Some(text) => Ok(text.into()),
                None => self.fail(token.place.clone(), format!("a wrong escape in {written}")),
            },
            _ => self.unexpected(token, context),
        }
    }

    pub fn word(&self, token: &Token) -> &str {
        &self.text[token.place.clone()]
    }

    pub fn peek(&self) -> Token {
        self.tokens[self.at].clone()
    }

    /// The last token stays.
    pub fn next(&mut self) -> Token {
        let token = self.peek();
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    pub fn peek_past_space(&mut self) -> Token {
        if self.peek().kind == Kind::Space {
            self.at += 1;
        }
        self.peek()
    }

    pub fn next_past_space(&mut self) -> Token {
        self.peek_past_space();
        self.next()
    }

    /// Where a reading of the tokens can go on again.
    pub fn mark(&self) -> usize {
        self.at
    }

    pub fn back_to(&mut self, mark: usize) {
        self.at = mark;
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Result<(), Fault> {
        let token = self.next_past_space();
        if token.kind == kind {
            Ok(())
        } else {
            self.unexpected(&token, context)
        }
    }

    pub fn deeper(&mut self, place: &Range<usize>) -> Result<(), Fault> {
        self.depth += 1;
        if self.depth <= DEEPEST {
            return Ok(());
        }
        let mut fault = fault(self.text, place.clone(), format!("nested more than {DEEPEST} deep"));
        fault.limit = true;
        Err(fault)
    }

    pub fn shallower(&mut self) {
        self.depth -= 1;
    }

    pub fn unexpected<T>(&self, token: &Token, context: &str) -> Result<T, Fault> {
        let what = match token.kind {
            Kind::End => "the end of the text".to_owned(),
            Kind::Keyword => format!("<{}>", self.word(token)),
            _ => format!("{:?}", self.word(token)),
        };
        self.fail(token.place.clone(), format!("unexpected {what} in {context}"))
    }

    pub fn fail<T>(&self, place: Range<usize>, message: impl Into<String>) -> Result<T, Fault> {
        Err(fault(self.text, place, message.into()))
    }
}

fn is_empty(body: &[Statement]) -> bool {
    body.iter()
        .all(|statement| matches!(statement, Statement::Text(text) if text.trim_matches(is_space).is_empty()))
}

fn fault(text: &str, place: Range<usize>, message: String) -> Fault {
    Fault {
        when: When::Parsing,
        position: position(text, place.start),
        place,
        message,
        limit: false,
        context: String::new(),
        within: None,
    }
}
