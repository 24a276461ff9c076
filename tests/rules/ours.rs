//! `evenkeel rules` in a directory of its own.

use evenkeel_tests::evenkeel::{Home, Said};

/// What `rules check` and `rules test` say of a file, and whether they pass it.
pub fn judge(home: &Home, command: &str, file: &str) -> anyhow::Result<(bool, Said)> {
    let said = home.run(&["rules", command, file])?;
    anyhow::ensure!(said.code == 0 || said.code == 1, "{said:#?}");
    Ok((said.code == 0, said))
}
