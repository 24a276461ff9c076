//! Daylight saving.

use super::*;

#[test]
fn a_fixed_time_in_the_gap_runs_right_after_it() {
    // Berlin jumps from 02:00 to 03:00 on 2026-03-29.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
        ["03-28 02:30:00 +0100", "03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]
    );
    // Several that are missing are one, also with one that is due anyway.
    assert_eq!(
        ticks("0,15,30 2,3 * * *", "Europe/Berlin", "2026-03-29T00:59:00Z", 3),
        ["03-29 03:00:00 +0200", "03-29 03:15:00 +0200", "03-29 03:30:00 +0200"]
    );
}

#[test]
fn a_fixed_time_that_occurs_twice_runs_the_first_time() {
    // Berlin goes back from 03:00 to 02:00 on 2026-10-25.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-10-24T22:00:00Z", 2),
        ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"]
    );
    // Asked within the second pass, it has been.
    assert_eq!(
        ticks("30 2 * * *", "Europe/Berlin", "2026-10-25T01:05:00Z", 1),
        ["10-26 02:30:00 +0100"]
    );
}

#[test]
fn a_wildcard_schedule_goes_on_in_real_time() {
    assert_eq!(
        ticks("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 4),
        [
            "03-29 01:30:00 +0100",
            "03-29 03:00:00 +0200",
            "03-29 03:30:00 +0200",
            "03-29 04:00:00 +0200"
        ]
    );
    assert_eq!(
        ticks("0 * * * *", "Europe/Berlin", "2026-10-24T23:30:00Z", 4),
        [
            "10-25 02:00:00 +0200",
            "10-25 02:00:00 +0100",
            "10-25 03:00:00 +0100",
            "10-25 04:00:00 +0100"
        ]
    );
    // The minute is fixed, the hour starts with a star: nothing of the gap is made up for.
    assert_eq!(
        ticks("15 */2 * * *", "Europe/Berlin", "2026-03-28T23:00:00Z", 2),
        ["03-29 00:15:00 +0100", "03-29 04:15:00 +0200"]
    );
    // The minute is a star in a fixed hour that does not exist: nothing runs.
    assert_eq!(
        ticks("*/30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 1),
        ["03-30 02:00:00 +0200"]
    );
}

#[test]
fn new_york_changes_at_two() {
    assert_eq!(
        ticks("15 2 * * *", "America/New_York", "2026-03-07T12:00:00Z", 2),
        ["03-08 03:00:00 -0400", "03-09 02:15:00 -0400"]
    );
    assert_eq!(
        ticks("30 1 * * *", "America/New_York", "2026-11-01T00:00:00Z", 2),
        ["11-01 01:30:00 -0400", "11-02 01:30:00 -0500"]
    );
    assert_eq!(
        ticks("30 * * * *", "America/New_York", "2026-11-01T05:00:00Z", 3),
        ["11-01 01:30:00 -0400", "11-01 01:30:00 -0500", "11-01 02:30:00 -0500"]
    );
}

#[test]
fn lord_howe_changes_by_half_an_hour() {
    // 02:00 becomes 02:30 on 2026-10-04, and 02:00 becomes 01:30 on 2026-04-05.
    assert_eq!(
        ticks("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", 2),
        ["10-04 02:30:00 +1100", "10-05 02:15:00 +1100"]
    );
    assert_eq!(
        ticks("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", 2),
        ["04-05 01:45:00 +1100", "04-06 01:45:00 +1030"]
    );
    assert_eq!(
        ticks("*/15 * * * *", "Australia/Lord_Howe", "2026-04-04T14:40:00Z", 4),
        [
            "04-05 01:45:00 +1100",
            "04-05 01:30:00 +1030",
            "04-05 01:45:00 +1030",
            "04-05 02:00:00 +1030"
        ]
    );
}

#[test]
fn shanghai_has_no_change() {
    assert_eq!(
        ticks("30 3 * * *", "Asia/Shanghai", "2026-03-28T19:30:00Z", 2),
        ["03-30 03:30:00 +0800", "03-31 03:30:00 +0800"]
    );
}

#[test]
fn a_day_that_a_zone_skipped_whole_is_made_up_for() {
    assert_eq!(
        ticks("0 12 * * *", "Pacific/Apia", "2011-12-29T23:00:00Z", 2),
        ["12-31 00:00:00 +1400", "12-31 12:00:00 +1400"]
    );
}

#[test]
fn zones_are_found_by_name_or_suggested() {
    assert_eq!(super::zone("Asia/Shanghai"), Ok(Tz::Asia__Shanghai));
    assert_eq!(super::zone("Shanghai"), Err(Some("Asia/Shanghai")));
    assert_eq!(super::zone("Europe/Berln"), Err(Some("Europe/Berlin")));
    assert_eq!(super::zone("europe/berlin"), Err(Some("Europe/Berlin")));
    assert_eq!(super::zone("Middle-earth/Shire"), Err(None));
}
