//! Asks targets for their exposition text, from where each asset is.

use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use evenkeel_alerting::exposition::ACCEPT;
use evenkeel_alerting::port::{Fetch, Fetched};
use evenkeel_engine::port::reach::{HttpError, Reach, Request, Response};
use evenkeel_model::action::Risk;
use evenkeel_model::role::Origin;
use evenkeel_model::scrape::{Scrape, Target};
use flate2::read::MultiGzDecoder;

use crate::capability::{self, addresses};

/// A longer file is no token.
const TOKEN_BYTES: u64 = 64 << 10;

/// Scrapes through a reach, so that a target inside a customer's network is asked from there.
pub struct Scraper {
    home: PathBuf,
    reach: Arc<dyn Reach>,
}

impl Scraper {
    /// `home` is where files with tokens are.
    pub fn over(home: impl Into<PathBuf>, reach: Arc<dyn Reach>) -> Self {
        Self {
            home: home.into(),
            reach,
        }
    }

    async fn ask(&self, target: &Target) -> Result<Response, String> {
        let (url, path) = split(&target.url);
        let to = capability::Target::of(url)?;
        let origin = origin(&target.scrape, url);
        let mut headers = vec![
            ("accept".to_owned(), ACCEPT.to_owned()),
            ("accept-encoding".to_owned(), "gzip".to_owned()),
            (
                "x-prometheus-scrape-timeout-seconds".to_owned(),
                target.scrape.timeout.as_secs_f64().to_string(),
            ),
        ];
        if let Some(token) = self.token(&target.scrape).await? {
            headers.push(("authorization".to_owned(), format!("Bearer {token}")));
        }
        let addresses = addresses(self.reach.clone(), &target.asset, &origin, url, &to)
            .await
            .map_err(|error| error.to_string())?;
        let request = Request {
            to: addresses,
            tls: to.tls,
            host: to.host,
            authority: to.authority,
            method: "GET".into(),
            path: path.to_owned(),
            headers,
            body: Vec::new(),
            timeout: target.scrape.timeout,
            limit: target.scrape.max_body,
        };
        let sent = self.reach.send(&target.asset, &origin, request).await;
        sent.map_err(|error| match error {
            HttpError::TooLarge => too_large(&target.scrape),
            other => other.to_string(),
        })
    }

    /// Read each time, so that a new one is used as soon as it is there.
    async fn token(&self, scrape: &Scrape) -> Result<Option<String>, String> {
        let Some(file) = &scrape.token_file else {
            return Ok(None);
        };
        let path = self.home.join(file);
        let unreadable = |why: String| format!("`token_file` `{}` can't be read: {why}", path.display());
        let size = tokio::fs::metadata(&path)
            .await
            .map_err(|error| unreadable(error.to_string()))?;
        if size.len() > TOKEN_BYTES {
            return Err(unreadable("it is no token, it is too long".to_owned()));
        }
        let text = tokio::fs::read_to_string(&path).await;
        let text = text.map_err(|error| unreadable(error.to_string()))?;
        match text.lines().next().map(str::trim) {
            Some(token) if !token.is_empty() => Ok(Some(token.to_owned())),
            _ => Err(unreadable("its first line is empty".to_owned())),
        }
    }
}

#[async_trait]
impl Fetch for Scraper {
    async fn fetch(&self, target: &Target) -> Result<Fetched, String> {
        let asked = tokio::time::timeout(target.scrape.timeout, self.ask(target)).await;
        let response = asked.unwrap_or_else(|_| Err(HttpError::TimedOut.to_string()))?;
        if response.status != 200 {
            return Err(format!(
                "the target answers with HTTP status {}, and not 200",
                response.status
            ));
        }
        let header = |wanted: &str| {
            let mut found = response.headers.iter().filter(|(name, _)| name == wanted);
            found.next().map_or("", |(_, value)| value)
        };
        let content_type = header("content-type").to_owned();
        let body = match header("content-encoding") {
            "" | "identity" => response.body,
            "gzip" | "x-gzip" => unpacked(&response.body, &target.scrape)?,
            other => {
                return Err(format!(
                    "the target packs its answer as `{other}`, which was not asked for"
                ));
            }
        };
        Ok(Fetched { content_type, body })
    }
}

/// Scheme, host and port; path and query.
fn split(url: &str) -> (&str, &str) {
    let authority = url.find("://").map_or(0, |at| at + 3);
    match url[authority..].find(['/', '?']) {
        Some(end) => url.split_at(authority + end),
        None => (url, "/"),
    }
}

/// The operator names the very address, so wherever it is, it may be asked.
fn origin(scrape: &Scrape, url: &str) -> Origin {
    Origin {
        url: url.to_owned(),
        allow: vec!["GET".to_owned()],
        read_only: Vec::new(),
        private: true,
        ca: scrape.ca.clone(),
        risk: Risk::Low,
        timeout: scrape.timeout,
    }
}

fn unpacked(packed: &[u8], scrape: &Scrape) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    let most = scrape.max_body as u64;
    let mut packed = MultiGzDecoder::new(packed).take(most + 1);
    packed
        .read_to_end(&mut body)
        .map_err(|error| format!("the answer can't be unpacked: {error}"))?;
    if body.len() as u64 > most {
        return Err(too_large(scrape));
    }
    Ok(body)
}

fn too_large(scrape: &Scrape) -> String {
    format!(
        "the answer has more than {} bytes, which is `max_body` of [scrape.{}]",
        scrape.max_body, scrape.name
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::Duration;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn scrape(max_body: usize) -> Scrape {
        Scrape {
            name: "app".into(),
            select: None,
            url: String::new(),
            every: Duration::from_secs(15),
            timeout: Duration::from_secs(10),
            labels: Default::default(),
            honor_labels: false,
            honor_timestamps: true,
            token_file: None,
            ca: None,
            max_samples: 1,
            max_body,
        }
    }

    #[test]
    fn a_packed_answer_is_bounded_by_what_it_unpacks_to() {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(&vec![b'x'; 1 << 20]).unwrap();
        let packed = packer.finish().unwrap();
        assert!(packed.len() < 2_000);
        assert_eq!(unpacked(&packed, &scrape(1 << 20)).map(|body| body.len()), Ok(1 << 20));
        let refused = unpacked(&packed, &scrape((1 << 20) - 1)).unwrap_err();
        assert!(refused.contains("`max_body` of [scrape.app]"), "{refused}");
        let torn = unpacked(&packed[..packed.len() / 2], &scrape(1 << 20)).unwrap_err();
        assert!(torn.starts_with("the answer can't be unpacked"), "{torn}");
    }

    #[test]
    fn a_url_is_asked_for_its_path_and_query() {
        assert_eq!(
            split("http://a:1/probe?target=b/c"),
            ("http://a:1", "/probe?target=b/c")
        );
        assert_eq!(split("http://a:1"), ("http://a:1", "/"));
        assert_eq!(split("https://[::1]:9/metrics"), ("https://[::1]:9", "/metrics"));
    }
}
