//! Row 14: an origin that the operator named, and no other.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use evenkeel_model::role::Origin;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::stage::{Scene, denied, effect, origin, scratch};

/// Answers each request with what the handler makes of its head; the handler may never return.
async fn serve<F>(answer: F) -> SocketAddr
where
    F: Fn(String) -> Vec<u8> + Send + Sync + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, Arc::clone(&answer)));
        }
    });
    address
}

async fn converse<S, F>(mut stream: S, answer: Arc<F>)
where
    S: AsyncRead + AsyncWrite + Unpin,
    F: Fn(String) -> Vec<u8>,
{
    let mut head = Vec::new();
    let mut buffer = [0; 4096];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&buffer[..read]),
        }
    }
    let _ = stream
        .write_all(&answer(String::from_utf8_lossy(&head).into_owned()))
        .await;
    let _ = stream.flush().await;
    // The client hangs up.
    let _ = stream.read(&mut buffer).await;
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn get(path: &str) -> Value {
    json!({ "http": { "path": path } })
}

fn getter(url: &str, steps: Value) -> Scene {
    Scene::check(steps).origin(&["GET"], "app", origin(url))
}

#[tokio::test]
async fn a_request_goes_below_the_base_with_the_hosts_own_headers() {
    let address = serve(|head| ok(&head)).await;
    let step = json!({ "http": { "path": "/issues.json?limit=1", "headers": [
        ["Host", "evil"], ["X-Token", "t"], ["Proxy-Authorization", "p"], ["Connection", "close, X-Token"],
        ["Transfer-Encoding", "chunked"], ["User-Agent", "probe"],
    ] } });
    let told = getter(&format!("http://{address}/redmine/"), json!([step]))
        .told()
        .await;
    let head = told[0]["ok"]["body"].as_str().unwrap().to_lowercase();
    assert!(
        head.starts_with("get /redmine/issues.json?limit=1 http/1.1\r\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("host: {address}\r\n")) && head.contains("x-token: t"),
        "{head}"
    );
    assert!(
        head.contains("user-agent: probe") && head.matches("user-agent").count() == 1,
        "{head}"
    );
    for absent in ["evil", "proxy-", "close", "transfer-encoding"] {
        assert!(!head.contains(absent), "{absent}: {head}");
    }
}

#[tokio::test]
async fn what_leads_elsewhere_is_denied() {
    let address = serve(|head| ok(&head)).await;
    let paths = [
        "http://evil/",
        "//evil/x",
        "/../x",
        "/%2e%2e/x",
        "/x\r\nHost: evil",
        "x",
        "/a#b",
        "",
    ];
    let scene = getter(
        &format!("http://{address}"),
        paths.iter().map(|path| get(path)).collect(),
    );
    for (path, told) in paths.iter().zip(scene.told().await) {
        assert!(denied(&told).contains("the path `"), "{path:?}: {told}");
    }
    let steps = json!([
        { "http": { "origin": "other" } },
        { "http": { "method": "POST" } },
        { "http": { "headers": [["a", "b\r\nc: d"]] } },
    ]);
    let told = getter(&format!("http://{address}"), steps).told().await;
    assert!(denied(&told[0]).contains("`GET other` is not granted"), "{}", told[0]);
    assert!(denied(&told[1]).contains("`POST app` is not granted"), "{}", told[1]);
    assert!(
        denied(&told[2]).contains("the header `a` holds characters"),
        "{}",
        told[2]
    );
}

#[tokio::test]
async fn a_header_that_makes_it_another_request_is_denied_by_name() {
    let address = serve(|head| ok(&head)).await;
    let url = format!("http://{address}");
    let with = |method: &str, header: &str| json!({ "http": { "method": method, "path": "/jobs", "headers": [[header, "DELETE"]] } });
    let steps = json!([with("GET", "X-HTTP-Method-Override"), with("GET", "X_Original_URL")]);
    let scene = getter(&url, steps);
    let told = scene.told().await;
    assert!(
        denied(&told[0]).contains("the header `X-HTTP-Method-Override` can make"),
        "{}",
        told[0]
    );
    assert!(denied(&told[1]).contains("the header `X_Original_URL`"), "{}", told[1]);

    let approved = effect("http", "send", "POST app:/jobs");
    let steps = json!([with("POST", "X-Redmine-Switch-User"), with("POST", "X-Request-Id")]);
    let scene = Scene::apply(vec![approved], steps).origin(&["POST"], "app", origin(&url));
    let told = scene.told().await;
    assert!(denied(&told[0]).contains("no approval covers it"), "{}", told[0]);
    assert_eq!(told[1]["ok"]["status"], json!(200), "{}", told[1]);
    assert_eq!(
        scene.journal.intents().len(),
        1,
        "what was denied was neither begun nor used up"
    );
}

#[tokio::test]
async fn a_name_that_leads_inside_needs_the_operators_word() {
    let address = serve(|head| ok(&head)).await;
    let url = format!("http://localhost:{}", address.port());
    let told = getter(&url, json!([get("/")])).told().await;
    let words = denied(&told[0]);
    assert!(
        words.contains("a loopback address: only an origin with `private = true`"),
        "{words}"
    );
    let private = Origin {
        private: true,
        ..origin(&url)
    };
    let told = Scene::check(json!([get("/")]))
        .origin(&["GET"], "app", private)
        .told()
        .await;
    // The server listens on IPv4 alone; the name may have both addresses.
    assert_eq!(told[0]["ok"]["status"], json!(200));
}

#[tokio::test]
async fn metadata_services_are_denied_even_as_written() {
    for url in [
        "http://169.254.169.254/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
    ] {
        let told = getter(url, json!([get("/latest/meta-data/")])).told().await;
        assert!(denied(&told[0]).contains("a metadata service"), "{}", told[0]);
    }
}

#[tokio::test]
async fn redirects_are_answers() {
    let address =
        serve(|_| b"HTTP/1.1 302 Found\r\nLocation: http://evil/\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let told = getter(&format!("http://{address}"), json!([get("/")])).told().await;
    assert_eq!(told[0]["ok"]["status"], json!(302));
    assert_eq!(told[0]["ok"]["headers"][0], json!(["location", "http://evil/"]));
}

#[tokio::test]
async fn large_slow_and_broken_answers_are_ended() {
    let endless = serve(|_| {
        let mut answer = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
        answer.resize(200_000, b'x');
        answer
    })
    .await;
    let announced = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n".to_vec()).await;
    let slow = serve(|_| b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nx".to_vec()).await;
    let headers = serve(|_| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(1_000)).into_bytes()).await;
    let broken = serve(|_| b"220 smtp.example ESMTP\r\n".to_vec()).await;
    for (address, error) in [
        (endless, "HttpError::TooLarge"),
        (announced, "HttpError::TooLarge"),
        (slow, "HttpError::TimedOut"),
        (headers, "HttpError::TooLarge"),
        (broken, "HttpError::Other("),
    ] {
        let quick = Origin {
            timeout: Duration::from_secs(1),
            ..origin(&format!("http://{address}"))
        };
        let scene = Scene::check(json!([get("/")])).limits(|limits| limits.answer_bytes = 100_000);
        let told = scene.origin(&["GET"], "app", quick).told().await;
        assert!(
            told[0]["err"].as_str().is_some_and(|told| told.starts_with(error)),
            "{error}: {}",
            told[0]
        );
    }
}

#[tokio::test]
async fn nobody_there_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let steps = json!([get("/")]);
    assert_eq!(
        getter(&format!("http://{address}"), steps.clone()).told().await[0],
        json!({ "err": "HttpError::Connect" })
    );
    let told = getter("http://no-such-name.invalid/", steps).told().await;
    assert_eq!(told[0], json!({ "err": "HttpError::Dns" }));
}

#[tokio::test]
async fn a_post_is_made_as_it_was_approved_and_a_marked_one_without() {
    let address = serve(|head| ok(&head)).await;
    let url = format!("http://{address}");
    let post = |path: &str, body: &str| json!({ "http": { "method": "POST", "path": path, "body": body } });
    let mut approved = effect("http", "send", "POST app:/jobs");
    approved.content = Some("2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".into());
    let steps = json!([post("/jobs", "evil"), post("/other", "foo"), post("/jobs", "foo")]);
    let scene = Scene::apply(vec![approved], steps).origin(&["POST"], "app", origin(&url));
    let told = scene.undeclared().await;
    assert!(denied(&told[0]).contains("with this content"), "{}", told[0]);
    assert!(
        denied(&told[1]).contains("`POST app:/other` is not among"),
        "{}",
        told[1]
    );
    let head = STANDARD.decode(told[2]["ok"]["body"].as_str().unwrap()).unwrap();
    assert!(
        String::from_utf8_lossy(&head).contains("content-length: 3"),
        "{}",
        told[2]
    );
    let intents = scene.journal.intents();
    assert_eq!((intents.len(), intents[0].repeatable), (1, false));

    let marked = Origin {
        read_only: vec!["POST /search/*".into()],
        ..origin(&url)
    };
    let steps = json!([post("/search/all", "q"), post("/search", "q")]);
    let told = Scene::check(steps).origin(&["POST"], "app", marked).told().await;
    assert_eq!(told[0]["ok"]["status"], json!(200));
    assert!(denied(&told[1]).contains("a check never does"), "{}", told[1]);
}

#[tokio::test]
async fn a_certificate_is_checked_and_shown() {
    let (_dir, dir) = scratch();
    let ca = authority();
    std::fs::write(dir.join("ca.pem"), ca.pem()).unwrap();
    let good = serve_tls(&ca, "2099").await;
    let expired = serve_tls(&ca, "2001").await;
    let ask = async |address: SocketAddr, trusted: bool| {
        let url = format!("https://localhost:{}", address.port());
        let ca = trusted.then(|| Path::new(&dir).join("ca.pem"));
        let origin = Origin {
            private: true,
            ca,
            ..origin(&url)
        };
        Scene::check(json!([get("/")]))
            .origin(&["GET"], "app", origin)
            .told()
            .await
            .remove(0)
    };
    let told = ask(good, true).await;
    assert_eq!(told["ok"]["certificate"], json!("CN=board"), "{told}");
    let told = ask(expired, true).await;
    assert!(told["err"].as_str().unwrap().contains("expired"), "{told}");
    let told = ask(good, false).await;
    assert!(told["err"].as_str().unwrap().contains("HttpError::Tls("), "{told}");
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn serve_tls(ca: &CertifiedIssuer<'static, KeyPair>, until: &str) -> SocketAddr {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, "board");
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(until.parse().unwrap(), 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, ca).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        )
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(greet(acceptor.clone(), stream));
        }
    });
    address
}

async fn greet(acceptor: TlsAcceptor, stream: TcpStream) {
    if let Ok(stream) = acceptor.accept(stream).await {
        converse(stream, Arc::new(|head: String| ok(&head))).await;
    }
}
