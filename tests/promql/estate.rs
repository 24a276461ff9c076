//! An hour of what hosts, a cluster and services measure, so that alerts find something.

use evenkeel_tests::dice::Dice;
use evenkeel_tests::servers::Written;

const EVERY_MS: i64 = 30_000;
const COUNT: i64 = 120;
const BOUNDS: [&str; 5] = ["0.1", "0.25", "1", "5", "+Inf"];

/// Of all lines of `estate.txt`, in the order of their labels.
pub fn all() -> Vec<Written> {
    let mut dice = Dice::new(11);
    let mut series = Vec::new();
    let lines = include_str!("estate.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with("##")) {
        let [names, kind, labels] = line.splitn(3, '|').collect::<Vec<_>>()[..] else {
            panic!("names|kind|labels: {line}");
        };
        for name in names.split(' ') {
            for labels in combinations(labels) {
                series.extend(of(name, kind, &labels, &mut dice));
            }
        }
    }
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    series
}

/// Each label with each of its values.
fn combinations(labels: &str) -> Vec<Vec<(String, String)>> {
    let mut all = vec![Vec::new()];
    for label in labels.split(';') {
        let (name, values) = label.split_once('=').expect("NAME=VALUE,VALUE");
        let with = |known: &Vec<(String, String)>, value: &str| {
            let mut known = known.clone();
            known.push((name.to_owned(), value.to_owned()));
            known
        };
        all = all
            .iter()
            .flat_map(|known| values.split(',').map(|value| with(known, value)).collect::<Vec<_>>())
            .collect();
    }
    all
}

fn of(name: &str, kind: &str, labels: &[(String, String)], dice: &mut Dice) -> Vec<Written> {
    let written = |labels: &[(String, String)], samples| {
        let mut labels = labels.to_vec();
        labels.push(("__name__".to_owned(), name.to_owned()));
        labels.sort();
        Written { labels, samples }
    };
    if kind != "bucket" {
        return vec![written(labels, samples(kind, dice))];
    }
    let mut total = vec![0.0; usize::try_from(COUNT).expect("it is small")];
    let bucket = |bound: &&str| {
        let mut labels = labels.to_vec();
        labels.push(("le".to_owned(), (*bound).to_owned()));
        let own = samples("counter", dice);
        let summed = own.iter().zip(&mut total).map(|((at_ms, value), total)| {
            *total += value;
            (*at_ms, *total)
        });
        written(&labels, summed.collect())
    };
    BOUNDS.iter().map(bucket).collect()
}

fn samples(kind: &str, dice: &mut Dice) -> Vec<(i64, f64)> {
    let (size, mut value) = ((1 + dice.below(4)) as f64 * 1e9, 0.0);
    let mut below = |limit: u64| dice.below(limit) as f64;
    let late = below(4) as i64 * 250;
    let one = |i: i64| {
        value = match kind {
            "counter" => value + below(50) + 0.5,
            "rare" => value + f64::from(u8::from(below(30) < 1.0)),
            "flag" => f64::from(u8::from(below(100) < 80.0)),
            "whole" => 2.0 + below(3),
            "small" => below(5000) / 1000.0,
            "gauge" => below(80),
            "bytes" => size / 2.0 + below(1000) * 1e5 - i as f64 * 1e6,
            "time" => (i / 20) as f64 * 600.0,
            "size" => size,
            _ => 1.0,
        };
        (i * EVERY_MS + late, value)
    };
    (0..COUNT).map(one).collect()
}
