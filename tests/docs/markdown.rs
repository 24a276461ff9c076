//! The fenced blocks of a page, with the words behind their fences.

use std::fs;

use anyhow::Context;
use evenkeel_tests::workspace;

/// A block between two lines of backticks.
#[derive(Debug)]
pub struct Block {
    /// Of the fence that opens it, from 1.
    pub line: usize,
    /// The language.
    pub language: String,
    /// The words after the language.
    pub marks: Vec<String>,
    pub text: String,
}

impl Block {
    pub fn is(&self, language: &str, mark: &str) -> bool {
        self.language == language && self.marks.iter().any(|word| word == mark)
    }

    /// `VALUE` of a word `NAME=VALUE` behind the fence.
    pub fn value(&self, name: &str) -> Option<&str> {
        let of_name = |word: &'_ String| word.strip_prefix(name).is_some_and(|rest| rest.starts_with('='));
        self.marks
            .iter()
            .find(|word| of_name(word))
            .map(|word| &word[name.len() + 1..])
    }
}

/// The blocks of a page, in order.
///
/// # Errors
/// When there is no such page, or one of its blocks doesn't end.
pub fn blocks(page: &str) -> anyhow::Result<Vec<Block>> {
    let path = workspace::root().join(page);
    let text = fs::read_to_string(&path).with_context(|| format!("there is no page {page}"))?;
    parse(page, &text)
}

fn parse(page: &str, text: &str) -> anyhow::Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut lines = (1..).zip(text.lines());
    while let Some((line, opening)) = lines.next() {
        let Some((fence, info)) = fence(opening) else { continue };
        let mut words = info.split_whitespace().map(str::to_owned);
        let mut block = Block {
            line,
            language: words.next().unwrap_or_default(),
            marks: words.collect(),
            text: String::new(),
        };
        let ended = lines.by_ref().any(|(_, line)| {
            let ends = line.trim_end() == fence;
            if !ends {
                block.text.push_str(line);
                block.text.push('\n');
            }
            ends
        });
        anyhow::ensure!(ended, "{page}:{line}: this block has no end");
        blocks.push(block);
    }
    Ok(blocks)
}

/// The backticks and what stands behind them.
fn fence(line: &str) -> Option<(&str, &str)> {
    let info = line.trim_start_matches('`');
    let fence = &line[..line.len() - info.len()];
    (fence.len() >= 3).then_some((fence, info))
}

#[test]
fn blocks_are_found_with_their_marks() -> anyhow::Result<()> {
    let page = "x\n```sh run dir=a/b\nls\n# no heading\n```\n````md\n```\n````\n";
    let blocks = parse("p.md", page)?;
    assert_eq!(blocks.len(), 2);
    assert!(blocks[0].is("sh", "run") && !blocks[0].is("sh", "ru") && !blocks[0].is("toml", "run"));
    assert_eq!(blocks[0].value("dir"), Some("a/b"));
    assert_eq!((blocks[0].line, blocks[0].text.as_str()), (2, "ls\n# no heading\n"));
    assert_eq!((blocks[1].language.as_str(), blocks[1].text.as_str()), ("md", "```\n"));
    assert!(parse("p.md", "```sh\nls\n").is_err());
    Ok(())
}
