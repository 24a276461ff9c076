//! Upper and lower case.

/// Letters that have a title case of their own, and what it is.
const TITLES: [(&str, char); 4] = [("ǆǅǄ", 'ǅ'), ("ǉǈǇ", 'ǈ'), ("ǌǋǊ", 'ǋ'), ("ǳǲǱ", 'ǲ')];

/// Lower-case Greek with a iota below, whose title case is one letter, in two runs.
const IOTA: [std::ops::RangeInclusive<char>; 3] = ['ᾀ'..='ᾇ', 'ᾐ'..='ᾗ', 'ᾠ'..='ᾧ'];

/// The first letter of each word in title case, all others as they are.
pub(super) fn title(text: &str) -> String {
    let mut titled = String::with_capacity(text.len());
    let (mut word, mut done) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let joins = word && joins(c) && chars.peek().copied().is_some_and(belongs);
        if !(belongs(c) || joins) {
            (word, done) = (false, false);
        } else if belongs(c) && !is_mark(c) {
            word = true;
        }
        if !done && word && is_cased(c) {
            push_title(&mut titled, c);
            done = true;
        } else {
            titled.push(c);
        }
    }
    titled
}

pub(super) fn upper(text: &str) -> String {
    text.chars().map(|c| single(c, c.to_uppercase())).collect()
}

pub(super) fn lower(text: &str) -> String {
    text.chars().map(|c| single(c, c.to_lowercase())).collect()
}

/// Go changes a letter for a letter, and leaves those that would become two.
fn single(c: char, mut changed: impl Iterator<Item = char>) -> char {
    match (changed.next(), changed.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

fn push_title(titled: &mut String, c: char) {
    if let Some((_, title)) = TITLES.iter().find(|(letters, _)| letters.contains(c)) {
        return titled.push(*title);
    }
    if ('\u{10d0}'..='\u{10ff}').contains(&c) {
        return titled.push(c);
    }
    if IOTA.iter().any(|run| run.contains(&c)) {
        return titled.push(char::from_u32(u32::from(c) + 8).unwrap_or(c));
    }
    if let 'ᾳ' | 'ῃ' | 'ῳ' = c {
        return titled.push(char::from_u32(u32::from(c) + 9).unwrap_or(c));
    }
    let mut capital = false;
    for part in c.to_uppercase() {
        if capital {
            titled.extend(part.to_lowercase());
        } else {
            titled.push(part);
        }
        capital |= part.is_uppercase();
    }
}

fn is_cased(c: char) -> bool {
    c.is_lowercase() || c.is_uppercase() || TITLES.iter().any(|(letters, _)| letters.contains(c))
}

/// What a word is made of.
fn belongs(c: char) -> bool {
    (c.is_alphanumeric() && !stands_alone(c)) || c == '_' || is_mark(c)
}

/// Scripts that have no spaces: each letter is a word.
fn stands_alone(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{309f}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// What stands between letters of one word.
fn joins(c: char) -> bool {
    matches!(c, '\'' | '.' | ':' | '’' | '‘' | '·' | '․' | '‧')
}
