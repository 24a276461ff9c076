//! Why there is no secure connection, and what to do about it.

use std::error::Error;
use std::io;

use chrono::DateTime;
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::Server;

/// In words, if that is the reason. Drivers bury it in errors of their own.
pub fn refusal(error: &(dyn Error + 'static), server: &Server) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(why) = buried(error) {
            return Some(format!(
                "no secure connection to {}: {}",
                server.address(),
                told(why, server)
            ));
        }
        next = error.source();
    }
    None
}

/// In words: the server can't or doesn't speak TLS.
pub fn without(server: &Server) -> String {
    format!(
        "no secure connection to {}: the server speaks no TLS. Turn it on there; `tls = false` sends everything in the clear",
        server.address()
    )
}

/// An error of I/O answers with the source of what it holds, so it is opened.
fn buried<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    let inner = inner.and_then(|inner| inner.downcast_ref());
    inner.or_else(|| error.downcast_ref())
}

fn told(error: &rustls::Error, server: &Server) -> String {
    let rustls::Error::InvalidCertificate(why) = error else {
        return error.to_string();
    };
    match why {
        CertificateError::UnknownIssuer if server.ca.is_some() => {
            "neither this machine nor the file that is `ca` knows the authority that signed its certificate".into()
        }
        CertificateError::UnknownIssuer => "this machine does not know the authority that signed its certificate: set \
                                            `ca` to the PEM file of that authority"
            .into(),
        CertificateError::BadSignature => {
            "its certificate was signed by another authority of the same name: `ca` may be an earlier one".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            "its certificate names no server (`subjectAltName`): it needs one that does".into()
        }
        CertificateError::NotValidForNameContext { presented, .. } => format!(
            "its certificate is for {}, and not for `{}`: write such a name into `url`, or as `server_name`",
            presented.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", "),
            server.expected()
        ),
        CertificateError::ExpiredContext { not_after, .. } => {
            format!("its certificate expired on {}: it needs a new one", day(*not_after))
        }
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "its certificate is not valid before {}: the clock of this machine or of whoever made it is wrong",
            day(*not_before)
        ),
        // A certificate that signs itself, as most instructions make it.
        other if format!("{other:?}").contains("CaUsedAsEndEntity") => {
            "its certificate is an authority's own: sign another one with it for the server, and set `ca` to it".into()
        }
        other => format!("its certificate can't be trusted: {other}"),
    }
}

/// `DnsName("db.example")`, without the kind of name.
fn plain(presented: &str) -> String {
    let name = presented.split_once('(').map_or(presented, |(_, name)| name);
    format!("`{}`", name.trim_end_matches(')').trim_matches('"'))
}

fn day(time: UnixTime) -> String {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).map_or_else(|| "no date".into(), |time| time.format("%Y-%m-%d").to_string())
}
