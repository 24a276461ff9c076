//! Templates by chance: functions over values of mostly the right kind, and signs in any order.

use evenkeel_tests::dice::Dice;

/// Functions, with the kinds of their arguments; a capital `V` at the end stands for any number of any.
const FUNCTIONS: [(&str, &str); 45] = [
    ("and", "vV"),
    ("or", "vV"),
    ("not", "v"),
    ("len", "c"),
    ("index", "ck"),
    ("slice", "siI"),
    ("print", "V"),
    ("printf", "fV"),
    ("println", "V"),
    ("html", "V"),
    ("js", "V"),
    ("urlquery", "V"),
    ("eq", "vvV"),
    ("ne", "vv"),
    ("lt", "nn"),
    ("le", "nn"),
    ("gt", "nn"),
    ("ge", "nn"),
    ("query", "q"),
    ("first", "r"),
    ("label", "se"),
    ("value", "e"),
    ("strvalue", "e"),
    ("args", "V"),
    ("reReplaceAll", "pss"),
    ("safeHtml", "s"),
    ("match", "ps"),
    ("title", "s"),
    ("toUpper", "s"),
    ("toLower", "s"),
    ("graphLink", "s"),
    ("tableLink", "s"),
    ("sortByLabel", "sr"),
    ("stripPort", "s"),
    ("stripDomain", "s"),
    ("humanize", "n"),
    ("humanize1024", "n"),
    ("humanizeDuration", "n"),
    ("humanizePercentage", "n"),
    ("humanizeTimestamp", "n"),
    ("toTime", "n"),
    ("parseDuration", "d"),
    ("call", "v"),
    ("printf", "fV"),
    ("printf", "fnV"),
];

/// Sections that begin with `=== ` and a name, a word a line.
const WORDS: &str = include_str!("words.txt");

/// Templates that mostly do something.
pub fn templates(seed: u64, count: usize) -> Vec<String> {
    let mut dice = Dice::new(seed);
    (0..count).map(|_| action(&mut dice)).collect()
}

/// Texts that are sometimes a template.
pub fn soups(seed: u64, count: usize) -> Vec<String> {
    let mut dice = Dice::new(seed);
    (0..count).map(|_| soup(&mut dice)).collect()
}

fn action(dice: &mut Dice) -> String {
    match dice.below(100) {
        0..80 => {
            let name = dice.below(FUNCTIONS.len());
            format!("{{{{ {} }}}}", call(dice, FUNCTIONS[name], 0))
        }
        80..84 => format!(
            "{{{{ if {} }}}}{}{{{{ else }}}}no{{{{ end }}}}",
            value(dice, 'v', 1),
            action(dice)
        ),
        84..88 => {
            let body = dice.pick(&["{{ . }}", "{{ .Value }}", "{{ . | printf \"%v\" }}", "{{ len . }}"]);
            format!("{{{{ with {} }}}}{body}{{{{ end }}}}", value(dice, 'v', 1))
        }
        88..94 => {
            let variables = dice.pick(&["", "$i, $e := ", "$e := "]);
            let bodies = [
                "{{ . }};",
                "{{ .Labels.a }};",
                "{{ break }}",
                "{{ if . }}{{ continue }}{{ end }}x",
            ];
            let (over, body) = (value(dice, 'v', 1), dice.pick(&bodies));
            format!("{{{{ range {variables}{over} }}}}{body}{{{{ else }}}}none{{{{ end }}}}")
        }
        94..97 => format!("{{{{- $x := {} -}}}} {{{{ $x }}}}", value(dice, 'v', 1)),
        97 => format!("{{{{ {} {} }}}}", value(dice, 'v', 1), value(dice, 'v', 1)),
        98 => {
            let of = value(dice, 'v', 1);
            format!(
                "{{{{ ({of}).{} }}}}",
                dice.pick(&["Value", "Labels", "foo", "Foo", "Year", "Unix", "Format"])
            )
        }
        _ => {
            let name = dice.below(FUNCTIONS.len());
            format!("{{{{ $labels.instance | {} }}}}", FUNCTIONS[name].0)
        }
    }
}

fn call(dice: &mut Dice, (name, kinds): (&str, &str), depth: usize) -> String {
    let mut words = vec![name.to_owned()];
    for kind in kinds.chars() {
        let times = if kind.is_uppercase() {
            [0, 1, 1, 2, 3][dice.below(5)]
        } else {
            1
        };
        for _ in 0..times {
            words.push(value(dice, kind.to_ascii_lowercase(), depth));
        }
    }
    if dice.percent(3) && words.len() > 1 {
        words.pop();
    }
    if words.len() > 1 && dice.percent(30) {
        let last = words.pop().expect("there is more than the name");
        return format!("{last} | {}", words.join(" "));
    }
    words.join(" ")
}

/// Words for an argument of that kind, or now and then of another.
fn value(dice: &mut Dice, kind: char, depth: usize) -> String {
    let kind = if dice.percent(5) { any(dice, "vsnre") } else { kind };
    let kind = match kind {
        'v' => any(dice, "snnsbnemtldsnr"),
        'c' => any(dice, "srms"),
        'k' => any(dice, "sni"),
        _ => kind,
    };
    let makers: &[&str] = match kind {
        's' => &[
            "print",
            "title",
            "toUpper",
            "stripPort",
            "stripDomain",
            "html",
            "reReplaceAll",
            "humanize",
            "label",
            "printf",
        ],
        'n' => &["value", "parseDuration", "len"],
        'r' => &["query", "sortByLabel"],
        'e' => &["first"],
        'b' => &["eq", "lt", "gt", "not", "match", "ne"],
        _ => &[],
    };
    if depth < 3 && !makers.is_empty() && dice.percent(50) {
        let name = dice.pick(makers);
        let function = FUNCTIONS
            .iter()
            .find(|(known, _)| *known == name)
            .expect("it is among them");
        return format!("({})", call(dice, *function, depth + 1));
    }
    match kind {
        's' => word(dice, "texts").to_owned(),
        'n' => word(dice, "numbers").to_owned(),
        'f' => {
            let verbs: Vec<_> = (0..[1, 1, 1, 2, 3][dice.below(5)])
                .map(|_| word(dice, "verbs"))
                .collect();
            format!("\"{}\"", verbs.join(" "))
        }
        'p' => word(dice, "patterns").to_owned(),
        'q' => word(dice, "queries").to_owned(),
        'd' if depth > 0 && dice.percent(30) => ".".to_owned(),
        'd' => word(dice, "durations").to_owned(),
        'm' => word(dice, "maps").to_owned(),
        'i' => dice.pick(&["0", "1", "2", "3", "5", "-1"]).to_owned(),
        'b' => dice.pick(&["true", "false"]).to_owned(),
        't' => format!("(toTime {})", value(dice, 'n', depth + 1)),
        'r' => format!("(query {})", word(dice, "queries")),
        'e' => format!("(first (query {}))", word(dice, "queries")),
        _ => "nil".to_owned(),
    }
}

fn any(dice: &mut Dice, kinds: &str) -> char {
    let at = dice.below(kinds.len());
    kinds.as_bytes()[at].into()
}

fn soup(dice: &mut Dice) -> String {
    match dice.below(3) {
        0 => signs(dice, 12),
        1 => format!("{{{{ {} }}}}", signs(dice, 12)),
        _ => block(dice),
    }
}

fn signs(dice: &mut Dice, most: usize) -> String {
    let count = 1 + dice.below(most);
    (0..count).map(|_| sign(dice)).collect()
}

fn block(dice: &mut Dice) -> String {
    let mut text = format!("{}{{{{ {} }}}}", body(dice), word(dice, "openers"));
    text += body(dice);
    for _ in 0..dice.below(3) {
        text += &format!("{{{{ {} }}}}{}", word(dice, "middles"), body(dice));
    }
    if dice.percent(90) {
        text += "{{ end }}";
    }
    text += body(dice);
    if dice.percent(30) {
        text += &format!("{{{{ template \"a\" {} }}}}", dice.pick(&["", ".", "1 2", "$x"]));
    }
    text
}

fn word(dice: &mut Dice, section: &str) -> &'static str {
    let mut sections = WORDS.split("=== ");
    let lines = sections.find_map(|lines| lines.strip_prefix(section)?.strip_prefix('\n'));
    let words: Vec<_> = lines.expect("each section is there").lines().collect();
    dice.pick(&words)
}

fn sign(dice: &mut Dice) -> &'static str {
    if dice.percent(12) {
        dice.pick(&[" ", "\n", "\t", "{{- ", " -}}"])
    } else {
        word(dice, "signs")
    }
}

fn body(dice: &mut Dice) -> &'static str {
    if dice.percent(20) {
        dice.pick(&["", " "])
    } else {
        word(dice, "bodies")
    }
}
