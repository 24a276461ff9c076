//! Texts as targets have them.

use std::fmt::Write as _;

pub struct Shape {
    pub name: &'static str,
    pub text: String,
}

pub fn all() -> [Shape; 3] {
    [
        Shape {
            name: "like node_exporter's",
            text: node(),
        },
        Shape {
            name: "mostly histograms",
            text: histograms(),
        },
        Shape {
            name: "20 labels a series",
            text: labels(),
        },
    ]
}

/// Many families, few labels, numbers of all kinds.
fn node() -> String {
    let mut text = String::new();
    for family in 0..240 {
        let kind = if family % 3 == 0 { "counter" } else { "gauge" };
        let name = format!("node_subsystem{}_metric_{family}_total", family % 17);
        family_of(&mut text, &name, kind);
        for n in 0..1 + family % 15 {
            let value = number(family * 31 + n);
            let labels = match family % 4 {
                0 => String::new(),
                1 => format!("{{cpu=\"{n}\"}}"),
                2 => format!("{{cpu=\"{n}\",mode=\"iowait\"}}"),
                _ => format!("{{device=\"/dev/mapper/vg0-data{n}\",fstype=\"ext4\",mountpoint=\"/srv/data/{n}\"}}"),
            };
            line(&mut text, &name, &labels, &value);
            if labels.is_empty() {
                break;
            }
        }
    }
    text
}

fn histograms() -> String {
    let bounds = [
        "0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf",
    ];
    let mut text = String::new();
    for family in 0..10 {
        let name = format!("http_request_{family}_duration_seconds");
        family_of(&mut text, &name, "histogram");
        for handler in 0..12 {
            let common = format!("handler=\"/api/v1/resource{handler}\",method=\"GET\",code=\"200\"");
            for (n, bound) in bounds.iter().enumerate() {
                line(
                    &mut text,
                    &format!("{name}_bucket"),
                    &format!("{{{common},le=\"{bound}\"}}"),
                    &(n * 137).to_string(),
                );
            }
            line(
                &mut text,
                &format!("{name}_sum"),
                &format!("{{{common}}}"),
                &number(handler),
            );
            line(&mut text, &format!("{name}_count"), &format!("{{{common}}}"), "1507");
        }
    }
    text
}

/// As exporters of a cluster's objects have them.
fn labels() -> String {
    let mut text = String::new();
    family_of(&mut text, "kube_object_labels", "gauge");
    for n in 0..1000 {
        let labels: Vec<_> = (0..20)
            .map(|label| format!("label_app_part_{label}=\"value-{label}-of-{n}\""))
            .collect();
        line(
            &mut text,
            "kube_object_labels",
            &format!("{{{}}}", labels.join(",")),
            "1",
        );
    }
    text
}

fn family_of(text: &mut String, name: &str, kind: &str) {
    writeln!(
        text,
        "# HELP {name} What {name} says, in a sentence of the usual length.\n# TYPE {name} {kind}"
    )
    .expect("a string takes all that is written");
}

fn line(text: &mut String, name: &str, labels: &str, value: &str) {
    writeln!(text, "{name}{labels} {value}").expect("a string takes all that is written");
}

/// Whole, with a fraction, with an exponent, and with all digits that a float has.
fn number(n: usize) -> String {
    match n % 4 {
        0 => (n * 4096).to_string(),
        1 => format!("{}.{:02}", n * 7, n % 100),
        2 => format!("{}.{}e+09", n % 9 + 1, n * 7919 + 1),
        _ => format!("{:?}", n as f64 / 7.0),
    }
}
