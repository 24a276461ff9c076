//! What proc(5) says of one process: pure readers of three of its files.

/// Of `/proc/PID/stat`; times are in clock ticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stat {
    /// `comm`: anything but a NUL may be in it, parentheses and line breaks too.
    pub name: Vec<u8>,
    pub state: u8,
    pub parent: u32,
    pub cpu: u64,
    pub threads: u32,
    /// Since the machine was started.
    pub started: u64,
    pub resident_pages: u64,
}

impl Stat {
    /// None: it is not what the kernel writes.
    pub fn parse(text: &[u8]) -> Option<Self> {
        // The name is between the first parenthesis and the last.
        let open = text.iter().position(|byte| *byte == b'(')?;
        let close = text.iter().rposition(|byte| *byte == b')')?;
        let name = text.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        // Numbered as in the manual page, where the state is the third.
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3).copied();
        let number = |at: usize| field(at)?.parse::<u64>().ok();
        let state = field(3)?;
        Some(Self {
            name,
            state: *state.as_bytes().first().filter(|_| state.len() == 1)?,
            parent: field(4)?.parse().ok()?,
            cpu: number(14)?.saturating_add(number(15)?),
            threads: field(20)?.parse().ok()?,
            started: number(22)?,
            // It may be negative for a moment while the kernel counts.
            resident_pages: field(24)?.parse::<i64>().ok()?.max(0).unsigned_abs(),
        })
    }
}

/// As the contract names the states.
pub fn state(letter: u8) -> &'static str {
    match letter {
        b'R' => "running",
        b'S' => "sleeping",
        b'D' => "disk-sleep",
        b'T' | b't' => "stopped",
        b'Z' => "zombie",
        b'X' | b'x' => "dead",
        b'I' => "idle",
        b'P' => "parked",
        _ => "unknown",
    }
}

/// The user whose rights it has: the effective one, out of `/proc/PID/status`.
pub fn user(status: &[u8]) -> Option<u32> {
    let line = status
        .split(|byte| *byte == b'\n')
        .find_map(|line| line.strip_prefix(b"Uid:"))?;
    let line = std::str::from_utf8(line).ok()?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// Arguments parted by spaces, out of `/proc/PID/cmdline`, where each ends with a NUL.
pub fn command(line: &[u8]) -> String {
    let line = String::from_utf8_lossy(line);
    line.trim_end_matches('\0').replace('\0', " ")
}

/// `btime` out of `/proc/stat`: when the machine was started, in seconds since 1970.
pub fn booted(stat: &str) -> Option<u64> {
    let line = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
    line.trim().parse().ok()
}

/// The beginning of a text, whole characters of it.
pub fn cut(mut text: String, bytes: usize) -> String {
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(name: &[u8], rest: &str) -> Vec<u8> {
        [b"7 (", name, b") ", rest.as_bytes()].concat()
    }

    #[test]
    fn a_line_of_the_manual_page_is_read() {
        let rest = "S 1 7 7 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 3 0 4711 1000000 256 18446744073709551615 0\n";
        let stat = Stat::parse(&line(b"redis-server", rest)).unwrap();
        let expected = Stat {
            name: b"redis-server".to_vec(),
            state: b'S',
            parent: 1,
            cpu: 175,
            threads: 3,
            started: 4711,
            resident_pages: 256,
        };
        assert_eq!(stat, expected);
    }

    #[test]
    fn this_very_process_is_read() {
        let read = |name: &str| std::fs::read(format!("/proc/self/{name}")).unwrap();
        let stat = Stat::parse(&read("stat")).unwrap();
        assert!(
            stat.threads > 0 && stat.resident_pages > 0 && stat.started > 0,
            "{stat:?}"
        );
        assert_eq!(user(&read("status")), Some(nix::unistd::geteuid().as_raw()));
        assert!(command(&read("cmdline")).contains("evenkeel"));
        assert!(booted(&std::fs::read_to_string("/proc/stat").unwrap()).is_some());
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aé".to_owned(), 2), "a");
        assert_eq!(cut("aé".to_owned(), 3), "aé");
        assert_eq!(cut("a".to_owned(), 3), "a");
    }

    proptest! {
        #[test]
        fn no_name_hides_the_fields_behind_it(
            name in proptest::collection::vec(1_u8.., 0..64),
            numbers in proptest::collection::vec(any::<u32>(), 49),
        ) {
            let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
            let rest = format!("R {}\n", numbers.join(" "));
            let stat = Stat::parse(&line(&name, &rest)).unwrap();
            prop_assert_eq!(stat.name, name);
            prop_assert_eq!((stat.state, stat.parent.to_string()), (b'R', numbers[0].clone()));
            prop_assert_eq!(stat.started.to_string(), numbers[18].clone());
            prop_assert_eq!(stat.resident_pages.to_string(), numbers[20].clone());
        }

        #[test]
        fn nothing_makes_them_panic(text in proptest::collection::vec(any::<u8>(), 0..300), bytes in 0_usize..300) {
            Stat::parse(&text);
            Stat::parse(&line(b"x", &String::from_utf8_lossy(&text)));
            user(&text);
            booted(&String::from_utf8_lossy(&text));
            let command = command(&text);
            prop_assert!(!command.contains('\0'));
            let cut = cut(command.clone(), bytes);
            prop_assert!(cut.len() <= bytes && command.starts_with(&cut));
        }
    }
}
