//! `evenkeel rules` beside the real promtool: the same verdicts, or a divergence that is named with its reason.

mod cases;
mod check;
mod expectations;
mod generated;
mod ours;
mod toml;
mod unit;
mod wild;
