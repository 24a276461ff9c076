//! HTTP over the daemon's Unix socket.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{home, socket};

/// One connection to the daemon of a home; requests go one after the other.
pub struct Client {
    home: PathBuf,
    sender: SendRequest<Full<Bytes>>,
}

impl Client {
    /// None: no daemon serves this home.
    pub async fn connect(home: &Path) -> Result<Option<Self>> {
        let Some(stream) = socket::connect(&home::data(home)).context("can't reach the daemon of this home")? else {
            return Ok(None);
        };
        stream.set_nonblocking(true)?;
        let stream = tokio::net::UnixStream::from_std(stream)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut client = Self {
            home: home.to_owned(),
            sender,
        };
        // The socket of a daemon that was just killed may take a connection, and then resets it.
        Ok(client.answers().await.then_some(client))
    }

    /// Whatever it says.
    async fn answers(&mut self) -> bool {
        let request = Request::get("/healthz").header("host", "evenkeel");
        let Ok(request) = request.body(Full::new(Bytes::new())) else {
            return false;
        };
        match self.sender.send_request(request).await {
            Ok(answer) => answer.into_body().collect().await.is_ok(),
            Err(_) => false,
        }
    }

    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The daemon has closed the connection: it stopped, or it is no more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.json(Method::GET, path, None).await
    }

    pub async fn post<T: DeserializeOwned>(&mut self, path: &str, body: &Value) -> Result<T> {
        self.json(Method::POST, path, Some(body)).await
    }

    async fn json<T: DeserializeOwned>(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<T> {
        let response = self.send(method, path, body).await?;
        let bytes = response
            .into_body()
            .collect()
            .await
            .context("the daemon broke off its answer")?
            .to_bytes();
        serde_json::from_slice(&bytes).context("the daemon's answer is none that this version knows")
    }

    /// The answer if it is a success, else the daemon's own words as the error.
    pub async fn send(&mut self, method: Method, path: &str, body: Option<&Value>) -> Result<Response<Incoming>> {
        let bytes = body.map_or(Ok(Vec::new()), serde_json::to_vec)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", "evenkeel")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(bytes)))?;
        self.sender.ready().await.context("the daemon closed the connection")?;
        let response = self
            .sender
            .send_request(request)
            .await
            .context("the daemon did not answer")?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        bail!(said(&bytes).unwrap_or_else(|| format!("the daemon answered {status}")))
    }
}

fn said(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    Some(value.get("error")?.as_str()?.to_owned())
}
