//! From the POST of an alert to the first call of a plugin, with the journal on disk first; the peer is what people use
//! instead: a webhook receiver that spawns `sh -c` and keeps nothing.
//!
//! Ours ends when the plugin's first call, an HTTP request, is seen by a server of the benchmark; the peer's when the
//! shell's first command, an `echo` into a FIFO, is. The two take turns.

mod ours;
mod peer;
pub mod receiver;

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Setting;
use crate::figures::{Figures, table};

const WARM_UP: usize = 20;

pub fn run(setting: &Setting) -> Result<()> {
    let rounds = setting.scale.alerts;
    let mut ours = ours::Ours::start(&setting.evenkeel()?)?;
    let mut peer = peer::Peer::start()?;
    let (mut ours_took, mut peer_took) = (Figures::default(), Figures::default());
    let warm_up = WARM_UP.min(rounds);
    for n in 0..warm_up + rounds {
        let times = (ours.once(n)?, peer.once(n)?);
        if n >= warm_up {
            ours_took.add(times.0);
            peer_took.add(times.1);
        }
    }
    table(
        "from the POST of an alert",
        &[
            ("evenkeel, journal on disk: a plugin's first call", &ours_took),
            ("webhook receiver: `sh -c`", &peer_took),
        ],
    );
    Ok(())
}

/// One request on a connection of its own; the answer's status and all that follows.
pub fn request(address: SocketAddr, head: &str, body: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let text = format!(
        "{head} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    ensure!(answer.starts_with("HTTP/1.1 200"), "{head}: {answer}");
    Ok(answer)
}

/// What a Prometheus would push; each is another alert.
fn alert(n: usize) -> String {
    format!(r#"[{{"labels":{{"alertname":"Bench","severity":"critical","n":"{n}"}},"annotations":{{}}}}]"#)
}
