//! Regular expressions as Go has them, on an engine whose syntax is a little wider.

use regex::{Regex, RegexBuilder};

use super::value::Value;
use super::world::{Answer, Failure, World};

/// Bytes of a compiled pattern.
const MAX_SIZE: usize = 512 << 10;
/// What compiling one counts besides its bytes.
const STEPS: usize = 100;

pub(super) fn matches(world: &mut World<'_>, pattern: &str, text: &str) -> Answer {
    let regex = compile(world, pattern).map_err(|failure| said(failure, "error parsing regexp: "))?;
    world.charge_text(text.len())?;
    Ok(Value::Bool(regex.is_match(text)))
}

pub(super) fn replace(world: &mut World<'_>, pattern: &str, with: &str, text: &str) -> Answer {
    let prefix = format!("regexp: Compile(`{pattern}`): error parsing regexp: ");
    let regex = compile(world, pattern).map_err(|failure| said(failure, &prefix))?;
    let limit = world.limits().text_bytes;
    let mut out = String::new();
    let mut end = 0;
    for found in regex.captures_iter(text) {
        let Some(whole) = found.get(0) else { continue };
        // The search for the next may go through all that is left.
        world.charge_text(text.len() - whole.start())?;
        world.charge(1)?;
        out.push_str(&text[end..whole.start()]);
        found.expand(with, &mut out);
        end = whole.end();
        world.charge_text(out.len().min(with.len()))?;
        if out.len() > limit {
            break;
        }
    }
    out.push_str(&text[end..]);
    world.charge_text(out.len())?;
    Ok(Value::text(out))
}

fn said(failure: Failure, prefix: &str) -> Failure {
    Failure {
        message: if failure.limit {
            failure.message
        } else {
            format!("{prefix}{}", failure.message)
        },
        limit: failure.limit,
    }
}

fn compile(world: &mut World<'_>, pattern: &str) -> Result<Regex, Failure> {
    world.charge(STEPS + pattern.len())?;
    let translated = translate(pattern)?;
    RegexBuilder::new(&translated)
        .size_limit(MAX_SIZE)
        .dfa_size_limit(MAX_SIZE)
        .nest_limit(100)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(limit) => {
                Failure::limit(format!("the pattern takes more than {limit} bytes when compiled"))
            }
            _ => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or_default().trim();
                let why = last.strip_prefix("error: ").unwrap_or(last);
                format!("{why}: `{pattern}`").into()
            }
        })
}

/// Go's pattern in the syntax of the engine: ASCII classes, `\Q…\E`, and signs that mean nothing to Go in a class.
fn translate(pattern: &str) -> Result<String, Failure> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut class = Class::Outside;
    let mut repeated = Repeated::Not;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        if class == Class::Outside {
            repeated = repeated.then(c, rest)?;
        }
        match c {
            '\\' => rest = escape(rest, class != Class::Outside, &mut out)?,
            '[' if class == Class::Outside => {
                out.push('[');
                class = Class::First;
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                continue;
            }
            '[' => match rest.find(":]").filter(|_| rest.starts_with(':')) {
                Some(end) => {
                    out.push_str(&format!("[{}", &rest[..end + 2]));
                    rest = &rest[end + 2..];
                }
                None => out.push_str("\\["),
            },
            ']' if class == Class::First => out.push_str("\\]"),
            ']' if class == Class::Inside => {
                out.push(']');
                class = Class::Outside;
                continue;
            }
            '&' | '~' if class != Class::Outside => out.extend(['\\', c]),
            '{' if class == Class::Outside && !is_repetition(rest) => out.push_str("\\{"),
            '}' if class == Class::Outside && !ends_repetition(&out) => out.push_str("\\}"),
            _ => out.push(c),
        }
        if class == Class::First {
            class = Class::Inside;
        }
    }
    Ok(out)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Outside,
    First,
    Inside,
}

/// Whether what is before is repeated already; Go has no repetition of a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repeated {
    Not,
    Greedy,
    /// With the `?` that makes it lazy.
    Lazy,
    /// Within `{n,m}`.
    Counted,
}

impl Repeated {
    fn then(self, c: char, rest: &str) -> Result<Self, Failure> {
        let repeats = matches!(c, '*' | '+' | '?') || c == '{' && is_repetition(rest);
        Ok(match self {
            Self::Counted if c == '}' => Self::Greedy,
            Self::Counted => Self::Counted,
            Self::Greedy if c == '?' => Self::Lazy,
            Self::Greedy | Self::Lazy if repeats => return Err("invalid nested repetition operator".into()),
            _ if repeats && c == '{' => Self::Counted,
            _ if repeats => Self::Greedy,
            _ => Self::Not,
        })
    }
}

/// What follows a backslash; the rest after it.
fn escape<'t>(rest: &'t str, class: bool, out: &mut String) -> Result<&'t str, Failure> {
    let Some(c) = rest.chars().next() else {
        return Err("trailing backslash at end of expression: ``".into());
    };
    let after = &rest[c.len_utf8()..];
    match c {
        'd' => out.push_str(if class { "0-9" } else { "[0-9]" }),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str(if class { "0-9A-Za-z_" } else { "[0-9A-Za-z_]" }),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(if class { "\\t\\n\\f\\r " } else { "[\\t\\n\\f\\r ]" }),
        'S' => out.push_str("[^\\t\\n\\f\\r ]"),
        'b' if !class => out.push_str("(?-u:\\b)"),
        'B' if !class => out.push_str("(?-u:\\B)"),
        'Q' if !class => {
            let (literal, after) = after.split_once("\\E").unwrap_or((after, ""));
            out.push_str(&regex::escape(literal));
            return Ok(after);
        }
        'C' | 'u' | 'U' | '<' | '>' => return Err(format!("invalid escape sequence: `\\{c}`").into()),
        _ => out.extend(['\\', c]),
    }
    Ok(after)
}

/// After `{`: `n}`, `n,}` or `n,m}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inside, _)) = rest.split_once('}') else {
        return false;
    };
    let (least, most) = inside.split_once(',').unwrap_or((inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// Before `}`: it closes what is open.
fn ends_repetition(out: &str) -> bool {
    out.rfind('{').is_some_and(|open| {
        let escaped = out[..open].ends_with('\\');
        !escaped && !out[open..].contains('}')
    })
}
