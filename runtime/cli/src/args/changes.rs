//! `evenkeel changes` and `evenkeel audit …`.

use clap::{Args, Subcommand};

use super::Listing;

#[derive(Args)]
pub struct Changes {
    #[arg(long)]
    pub runbook: Option<String>,
    #[arg(long, value_name = "ASSET")]
    pub target: Option<String>,
    #[arg(long)]
    pub customer: Option<String>,
    /// How many at most, up to 1,000.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
    #[command(flatten)]
    pub listing: Listing,
}

#[derive(Subcommand)]
pub enum Audit {
    /// Walks the chain of the records, and says where it is broken.
    Verify(AuditVerify),
    /// Prints the last record's hash. Kept elsewhere, it shows later whether records were cut off.
    Head,
}

#[derive(Args)]
pub struct AuditVerify {
    /// A head that was kept elsewhere: it has to be among the records.
    #[arg(long, value_name = "HASH", value_parser = head)]
    pub head: Option<String>,
    #[command(flatten)]
    pub listing: Listing,
}

/// SHA-256, as `evenkeel audit head` prints it.
fn head(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    match is_hash {
        true => Ok(text.to_owned()),
        false => Err("a head has 64 hexadecimal digits, as `evenkeel audit head` prints it".to_owned()),
    }
}
