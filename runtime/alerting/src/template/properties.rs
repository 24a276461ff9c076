use proptest::prelude::*;

use super::*;

fn rendered(text: &str, label: &str, value: f64) -> String {
    let (labels, none) = (Labels::new([("x", label)]), Labels::default());
    let context = Context {
        labels: &labels,
        value,
        external_labels: &none,
        external_url: "",
        limits: Limits::default(),
    };
    let template = Template::parse(text).unwrap_or_else(|fault| panic!("{text:?}: {fault}"));
    let rendered = template.render(&context, &mut |_| Ok(Vec::new()));
    rendered.unwrap_or_else(|fault| panic!("{text:?}: {fault}"))
}

proptest! {
    #[test]
    fn text_without_braces_stands_for_itself(text in "[^{]{0,60}") {
        prop_assert_eq!(rendered(&text, "", 0.0), text);
    }

    #[test]
    fn a_quoted_text_is_a_literal_of_itself(text in any::<String>(), verb in "%q|%\\+q|%#q|%#v") {
        let quoted = rendered(&format!("{{{{ printf {verb:?} $labels.x }}}}"), &text, 0.0);
        prop_assert_eq!(rendered(&format!("{{{{ {quoted} }}}}"), "", 0.0), text);
    }

    #[test]
    fn a_printed_number_reads_as_the_same(bits in any::<u64>(), verb in "%v|%g|%x|%X|%G") {
        let value = f64::from_bits(bits);
        let printed = rendered(&format!("{{{{ printf {verb:?} .Value }}}}"), "", value);
        if value.is_finite() && !verb.eq_ignore_ascii_case("%x") {
            let again: f64 = printed.parse().expect("Go and Rust read the same numbers");
            prop_assert_eq!(again.to_bits(), bits);
        } else if value.is_normal() {
            let again = rendered(&format!("{{{{ printf \"%v\" ({printed}) }}}}"), "", 0.0);
            prop_assert_eq!(again.parse::<f64>().map(f64::to_bits), Ok(bits));
        }
    }

    #[test]
    fn a_trim_marker_takes_all_spaces_beside_it(before in "[a-z \n\t]{0,9}", after in "[a-z \n\t]{0,9}") {
        let text = format!("{before}{{{{- /* nothing */ -}}}}{after}");
        let expected = [before.trim_end(), after.trim_start()].concat();
        prop_assert_eq!(rendered(&text, "", 0.0), expected);
    }

    #[test]
    fn sorted_elements_are_all_there(names in proptest::collection::vec("[a-c]{0,2}", 0..8)) {
        let (labels, none) = (Labels::default(), Labels::default());
        let context = Context {
            labels: &labels,
            value: 0.0,
            external_labels: &none,
            external_url: "",
            limits: Limits::default(),
        };
        let element = |name: &String| Element { labels: Labels::new([("n", name.as_str())]), value: 0.0 };
        let template = Template::parse("{{ range query \"q\" | sortByLabel \"n\" }}{{ .Labels.n }},{{ end }}");
        let out = template
            .expect("a template")
            .render(&context, &mut |_| Ok(names.iter().map(element).collect()))
            .expect("it can be rendered");
        let mut sorted = names.clone();
        sorted.sort();
        prop_assert_eq!(out, sorted.iter().map(|name| format!("{name},")).collect::<String>());
    }
}
