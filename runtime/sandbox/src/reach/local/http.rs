//! Requests from this machine: one connection each, to an address that was checked.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Instant;

use evenkeel_engine::port::reach::{Certificate, HttpError, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::tls;

/// Headers of an answer.
const HEADERS: usize = 128;
/// All of an answer's head, in bytes.
const HEAD: usize = 64 << 10;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("evenkeel/", env!("CARGO_PKG_VERSION")));

pub async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, HttpError> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|_| HttpError::Dns)?;
    Ok(addresses.collect())
}

/// No redirect is followed, no proxy asked.
pub async fn send(tls: &tls::Configs, ca: Option<PathBuf>, request: Request) -> Result<Response, HttpError> {
    let timeout = request.timeout;
    tokio::time::timeout(timeout, exchange(tls, ca, request))
        .await
        .unwrap_or(Err(HttpError::TimedOut))
}

async fn exchange(tls: &tls::Configs, ca: Option<PathBuf>, request: Request) -> Result<Response, HttpError> {
    let began = Instant::now();
    let limit = request.limit;
    let stream = connect(&request.to).await?;
    let (answer, certificate) = if request.tls {
        let stream = secure(tls, ca, &request.host, stream).await?;
        let certificate = peer(&stream);
        (ask(stream, request).await?, certificate)
    } else {
        (ask(stream, request).await?, None)
    };
    let (head, body) = answer.response.into_parts();
    let body = collect(body, limit).await?;
    Ok(Response {
        status: head.status.as_u16(),
        headers: readable(&head.headers),
        body,
        elapsed: began.elapsed(),
        certificate,
    })
}

async fn connect(addresses: &[SocketAddr]) -> Result<TcpStream, HttpError> {
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => tracing::debug!(%address, %error, "no connection"),
        }
    }
    Err(HttpError::Connect)
}

async fn secure(
    tls: &tls::Configs,
    ca: Option<PathBuf>,
    host: &str,
    stream: TcpStream,
) -> Result<TlsStream<TcpStream>, HttpError> {
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| HttpError::Tls(format!("`{host}` is not a name that a certificate can be for")))?;
    let connector = TlsConnector::from(tls.of(ca.as_deref())?);
    connector
        .connect(name, stream)
        .await
        .map_err(|error| HttpError::Tls(error.to_string()))
}

fn peer(stream: &TlsStream<TcpStream>) -> Option<Certificate> {
    let (_, connection) = stream.get_ref();
    connection.peer_certificates()?.first().and_then(tls::certificate)
}

/// An answer whose body still comes, over a connection that ends with it.
struct Answer {
    response: hyper::Response<Incoming>,
    _connection: Connection,
}

struct Connection(AbortHandle);

impl Connection {
    fn of(task: &JoinHandle<()>) -> Self {
        Self(task.abort_handle())
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn ask<S>(stream: S, request: Request) -> Result<Answer, HttpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let request = outgoing(request)?;
    let mut settings = http1::Builder::new();
    settings.max_headers(HEADERS).max_buf_size(HEAD);
    let (mut sender, connection) = settings
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failure(&error))?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "the connection ended");
        }
    });
    let connection = Connection::of(&task);
    let response = sender.send_request(request).await.map_err(|error| failure(&error))?;
    Ok(Answer {
        response,
        _connection: connection,
    })
}

fn outgoing(request: Request) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
    let other = |error: &dyn std::fmt::Display| HttpError::Other(error.to_string());
    let mut outgoing = hyper::Request::builder()
        .method(request.method.as_str())
        .uri(request.path)
        .body(Full::new(Bytes::from(request.body)))
        .map_err(|error| other(&error))?;
    let headers = outgoing.headers_mut();
    headers.insert(USER_AGENT, AGENT);
    for (name, value) in &request.headers {
        let name = HeaderName::try_from(name).map_err(|error| other(&error))?;
        let value = HeaderValue::try_from(value).map_err(|error| other(&error))?;
        if name == USER_AGENT {
            headers.insert(name, value);
        } else {
            headers.append(name, value);
        }
    }
    headers.insert(
        HOST,
        HeaderValue::try_from(request.authority).map_err(|error| other(&error))?,
    );
    Ok(outgoing)
}

async fn collect(mut body: Incoming, limit: usize) -> Result<Vec<u8>, HttpError> {
    let announced = body.size_hint().lower();
    if announced > limit as u64 {
        return Err(HttpError::TooLarge);
    }
    let mut collected = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| failure(&error))?;
        let Some(bytes) = frame.data_ref() else { continue };
        if collected.len() + bytes.len() > limit {
            return Err(HttpError::TooLarge);
        }
        collected.extend_from_slice(bytes);
    }
    Ok(collected)
}

fn readable(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), text(value)))
        .collect()
}

fn failure(error: &hyper::Error) -> HttpError {
    // hyper has no question for this one.
    if error.is_parse() && error.to_string().contains("too large") {
        return HttpError::TooLarge;
    }
    HttpError::Other(format!("the answer can't be read: {error}"))
}
