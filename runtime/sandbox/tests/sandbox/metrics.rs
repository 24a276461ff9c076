//! PromQL over a source. What a real Prometheus answers is in another place; here it is a server
//! that says what it was asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use evenkeel_model::call::Answer;
use evenkeel_model::grant::Capability;
use evenkeel_model::invocation::{Outcome, Output};
use evenkeel_model::role::{Resource, Source};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::stage::{Scene, denied};

/// Answers every request with `body`; tells what it was asked.
async fn prometheus(body: Value) -> (SocketAddr, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (told, asked) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !String::from_utf8_lossy(&request).contains("limit=") {
                let read = stream.read_buf(&mut request).await.unwrap_or(0);
                if read == 0 {
                    break;
                }
            }
            let _ = told.send(String::from_utf8_lossy(&request).into_owned());
            let body = body.to_string();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = stream.write_all((head + &body).as_bytes()).await;
        }
    });
    (address, asked)
}

fn source(url: String) -> Resource {
    Resource::Source(Source {
        url,
        allow: Vec::new(),
        private: false,
        ca: None,
        token: None,
        timeout: Duration::from_secs(5),
    })
}

fn asker(address: SocketAddr, steps: Value) -> Scene {
    let source = source(format!("http://{address}/base"));
    Scene::check(steps).grant(Capability::Metrics, &["query"], "prometheus", source)
}

fn vector(series: usize) -> Value {
    let one = |n: usize| json!({ "metric": { "n": n.to_string() }, "value": [1.5, "2.5"] });
    json!({ "status": "success", "data": { "resultType": "vector", "result": (0..series).map(one).collect::<Vec<_>>() } })
}

#[tokio::test]
async fn an_expression_is_asked_below_the_base_and_its_series_come_back() {
    let (address, mut asked) = prometheus(vector(1)).await;
    let scene = asker(address, json!([{ "query": { "expr": "a > 1", "at": 1_234 } }]));
    assert_eq!(
        scene.told().await,
        [json!({ "ok": [[[["n", "0"]], [[1_500, "2.5"]]]] })]
    );
    let request = asked.recv().await.unwrap();
    assert!(request.starts_with("POST /base/api/v1/query HTTP/1.1"), "{request}");
    assert!(request.contains("query=a%20%3E%201&time=1.234&timeout="), "{request}");
    assert!(request.ends_with("&limit=1001"), "{request}");
    assert_eq!(scene.journal.answers().len(), 1);
}

#[tokio::test]
async fn a_source_that_is_not_granted_is_denied_and_what_is_too_much_is_refused() {
    let (address, mut asked) = prometheus(vector(11)).await;
    let year =
        json!({ "query-range": { "expr": "{__name__=~\".+\"}", "from": 0, "to": 31_536_000_000_u64, "step": 1 } });
    let steps = json!([
        { "query": { "source": "another" } },
        year,
        { "query": { "expr": "x".repeat(20_000) } },
        { "query": { "expr": "{__name__=~\".+\"}" } },
    ]);
    let told = asker(address, steps).limits(|limits| limits.series = 10).told().await;
    assert!(
        denied(&told[0]).contains("`query another` is not granted"),
        "{}",
        told[0]
    );
    assert!(told[1]["err"].as_str().unwrap().contains("TooLarge"), "{}", told[1]);
    assert!(denied(&told[2]).contains("20000 bytes"), "{}", told[2]);
    assert!(told[3]["err"].as_str().unwrap().contains("TooLarge"), "{}", told[3]);
    asked.recv().await.expect("the last of them was asked");
    assert!(asked.try_recv().is_err(), "and none of the others");
}

/// A plugin is told no more than the contract has room for; people are.
#[tokio::test]
async fn what_a_source_says_beside_its_answer_is_in_the_log() {
    let mut answer = vector(2);
    answer["warnings"] = json!(["a store\nis missing"]);
    answer["infos"] = json!(["metric might not be a counter"]);
    let (address, _asked) = prometheus(answer).await;
    let scene = asker(address, json!([{ "query": {} }]));
    assert_eq!(scene.told().await[0]["ok"].as_array().unwrap().len(), 2);
    assert_eq!(
        scene.journal.logs(),
        [
            "source `prometheus`: a store is missing",
            "source `prometheus`: metric might not be a counter"
        ]
    );

    let scene = asker(address, json!([{ "query": {} }])).limits(|limits| limits.series = 1);
    assert!(scene.told().await[0]["err"].as_str().unwrap().contains("TooLarge"));
    assert_eq!(
        messages(&scene),
        ["the answer has more than 1 series, which is `series` of [sandbox]"]
    );
    assert_eq!(scene.journal.logs(), [""; 0]);
}

/// Of errors in the journal, for whoever reads the story.
fn messages(scene: &Scene) -> Vec<String> {
    let answers = scene.journal.answers();
    let message = |answer: &Answer| match answer {
        Answer::Err { message, .. } => Some(message.clone()),
        _ => None,
    };
    answers.iter().filter_map(message).collect()
}

/// Lines that were said before an interruption are counted, not compared: the same ones have to come again.
#[tokio::test]
async fn what_was_said_beside_an_answer_is_said_again_when_an_invocation_goes_on() {
    let mut answer = vector(1);
    answer["warnings"] = json!(["a store is missing"]);
    let (address, mut asked) = prometheus(answer).await;
    let steps = json!([{ "query": {} }, { "log": { "message": "mine" } }]);
    let scene = asker(address, steps);
    let told = scene.told().await;
    let lines = scene.journal.logs();
    assert_eq!(lines, ["source `prometheus`: a store is missing", "mine"]);
    asked.recv().await.unwrap();

    let mut again = Scene::new(scene.invocation.work.clone(), scene.invocation.params.clone());
    again.invocation = scene.invocation.clone();
    let mut recording = scene.recording(Outcome::Done(Output::RolledBack));
    recording.outcome = None;
    again.invocation.resume = Some(Arc::new(recording));
    assert_eq!(again.told().await, told);
    assert_eq!(again.journal.logs(), lines);
    assert!(asked.try_recv().is_err(), "it is not asked again");
}

/// Both ends are in a range: four steps are five points.
#[tokio::test]
async fn as_many_points_as_are_allowed_are_asked_for_and_taken() {
    let values: Vec<Value> = (0..5).map(|n| json!([n, "1"])).collect();
    let series = json!([{ "metric": {}, "values": values }]);
    let answer = json!({ "status": "success", "data": { "resultType": "matrix", "result": series } });
    let (address, mut asked) = prometheus(answer).await;
    let range = |to: u64| json!({ "query-range": { "expr": "a", "from": 0, "to": to, "step": 1_000 } });
    let scene = asker(address, json!([range(4_999), range(5_000)])).limits(|limits| limits.points = 5);
    let told = scene.told().await;
    assert_eq!(told[0]["ok"][0][1].as_array().unwrap().len(), 5, "{}", told[0]);
    assert!(told[1]["err"].as_str().unwrap().contains("TooLarge"), "{}", told[1]);
    let request = asked.recv().await.unwrap();
    assert!(request.contains("&start=0.000&end=4.999&step=1.000&"), "{request}");
    assert!(asked.try_recv().is_err(), "six are not asked for");
    assert_eq!(
        messages(&scene),
        ["the range has more than 5 points, which is `points` of [sandbox]"]
    );
}

#[tokio::test]
async fn a_source_that_is_not_there_or_is_none_says_so() {
    let (address, _asked) = prometheus(json!({ "hello": "world" })).await;
    let strange = asker(address, json!([{ "query": {} }])).told().await;
    assert!(
        strange[0]["err"]
            .as_str()
            .unwrap()
            .contains("does not answer like a Prometheus"),
        "{}",
        strange[0]
    );
    let nobody = asker("127.0.0.1:1".parse().unwrap(), json!([{ "query": {} }]))
        .told()
        .await;
    assert!(
        nobody[0]["err"].as_str().unwrap().contains("the connection failed"),
        "{}",
        nobody[0]
    );
    let inside = source("http://localhost:9".into());
    let scene = Scene::check(json!([{ "query": {} }])).grant(Capability::Metrics, &["query"], "prometheus", inside);
    assert!(denied(&scene.told().await[0]).contains("private = true"));
}
