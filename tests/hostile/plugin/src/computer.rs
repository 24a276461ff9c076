//! What takes from the computer: time, memory and stack. The guest of the sandbox's tests does the same.

use std::hint::black_box;
use std::time::Duration;

/// Whether there is such an act. Most of them never come back.
pub fn perform(act: &str, n: u64) -> bool {
    match act {
        "spin" => loop {
            black_box(n);
        },
        "sleep" => std::thread::sleep(Duration::from_millis(n)),
        "grow" => grow(),
        "recurse" => {
            black_box(recurse(0));
        }
        "copy" => copy(usize::try_from(n).unwrap_or(usize::MAX)),
        _ => return false,
    }
    true
}

fn grow() {
    let mut held: Vec<Vec<u8>> = Vec::new();
    loop {
        held.push(vec![1; 1 << 20]);
        black_box(&held);
    }
}

#[allow(unconditional_recursion, reason = "that is the attack")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth) + 1)) + 1
}

fn copy(bytes: usize) {
    let mut memory = vec![0_u8; bytes];
    loop {
        memory.copy_within(0..bytes / 2, bytes / 2);
        black_box(&memory);
    }
}
