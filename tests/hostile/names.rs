//! Row 14: a name that leads elsewhere from one moment to the next.

use std::{
    net::Ipv4Addr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use anyhow::{bail, ensure};
use evenkeel_tests::{evenkeel::BOUND, names::Names, process::free_port};

use crate::{arena::Arena, attack::Attack, origin::Origin};

/// For documentation (RFC 5737): nobody is there, and it is no inner address.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

/// Runs that met the name at either address, at least.
const EACH: usize = 10;

/// It changes all the time, so also between the check and the dialling.
#[test]
fn a_name_that_changes_its_address_leads_nowhere_inside() -> anyhow::Result<()> {
    let origin = Origin::start()?;
    let names = Names::of("moving.example")?;
    names.lead_to(ELSEWHERE)?;
    let settings = format!(
        "[role.steel.origins.moving]\nurl = \"http://moving.example:{}/app\"\nallow = [\"GET\"]\ntimeout = \"200ms\"\n",
        origin.port
    );
    let attack = Attack::check(
        14,
        "asks a name that changes",
        r#"{ act = "GET", name = "moving", path = "/ok" }"#,
    )
    .grant(r#"http = ["GET moving"]"#);
    let runbook = attack.name(0);
    let address = format!("127.0.0.1:{}", free_port()?);
    let arena = Arena::served(&settings, &[], vec![attack], |home| {
        let mut command = home.command()?;
        command.args(["serve", "--listen", &address]);
        home.served_by(&mut names.known_to(&command), &address)
    })?;
    let over = AtomicBool::new(false);
    let met = thread::scope(|scope| {
        let moving = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                names.lead_to(Ipv4Addr::LOCALHOST)?;
                names.lead_to(ELSEWHERE)?;
            }
            std::io::Result::Ok(())
        });
        let met = arena.beside(|_| both(&arena, &runbook));
        over.store(true, Ordering::Relaxed);
        moving.join().expect("it does not panic")?;
        met
    });
    met?;
    ensure!(origin.asked().is_empty(), "it got there: {:#?}", origin.asked());
    Ok(())
}

/// Until it was refused, and let go where nobody is, often enough.
fn both(arena: &Arena, runbook: &str) -> anyhow::Result<()> {
    let (mut refused, mut dialled) = (0, 0);
    let began = Instant::now();
    while refused < EACH || dialled < EACH {
        let story = arena.desk.run(runbook)?;
        ensure!(story.verdict() == "healthy", "{story:#?}");
        let said = story.said();
        let says = |words: &[&str]| said.iter().any(|line| words.contains(&line.as_str()));
        if says(&[
            "`moving` is at 127.0.0.1, a loopback address: only an origin with `private = true` in evenkeel.toml may be there",
        ]) {
            refused += 1;
        } else if says(&["no answer in time", "the connection failed"]) {
            dialled += 1;
        } else {
            bail!("{said:#?}");
        }
        ensure!(began.elapsed() < BOUND, "{refused} were refused and {dialled} dialled");
    }
    Ok(())
}
