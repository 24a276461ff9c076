use proptest::prelude::*;

use super::*;

/// Seconds after some moment.
fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(1_000_000 + seconds)
}

fn firing(start: i64, end: i64) -> Span {
    Span {
        starts_at: at(start),
        ends_at: at(end),
        resolved: false,
    }
}

fn resolved(start: i64, end: i64) -> Span {
    Span {
        resolved: true,
        ..firing(start, end)
    }
}

/// Takes messages as they come, each with the second at which it comes.
fn changes(manner: Manner, messages: &[(i64, Span)]) -> (Option<Known>, Vec<Change>) {
    let (mut known, mut told) = (None, Vec::new());
    for (now, span) in messages {
        let merged = merge(known.as_ref(), *span, manner, at(*now));
        told.extend(merged.lost.map(|_| Change::Expired));
        told.extend(merged.change);
        known = Some(merged.known);
    }
    (known, told)
}

fn told(messages: &[(i64, Span)]) -> Vec<Change> {
    changes(Manner::Repeats, messages).1
}

#[test]
fn the_first_word_of_a_firing_alert_is_an_edge() {
    assert_eq!(told(&[(0, firing(0, 240))]), [Change::Fired]);
}

#[test]
fn a_firing_alert_sent_again_is_no_edge() {
    assert_eq!(
        told(&[(0, firing(0, 240)), (60, firing(0, 300)), (120, firing(0, 360))]),
        [Change::Fired]
    );
}

#[test]
fn a_resolve_is_one_edge_though_it_is_sent_for_a_quarter_of_an_hour() {
    let messages = [
        (0, firing(0, 240)),
        (60, resolved(0, 60)),
        (120, resolved(0, 60)),
        (900, resolved(0, 60)),
    ];
    assert_eq!(told(&messages), [Change::Fired, Change::Resolved]);
}

#[test]
fn a_resolve_of_what_never_fired_is_kept_and_is_no_edge() {
    let (known, told) = changes(Manner::Repeats, &[(60, resolved(0, 60)), (120, resolved(0, 60))]);
    assert_eq!(told, []);
    assert_eq!(known.unwrap().span, resolved(0, 60));
}

#[test]
fn overlapping_messages_are_one_alert_with_the_earliest_start_and_the_latest_end() {
    let (known, told) = changes(
        Manner::Repeats,
        &[(10, firing(7, 240)), (11, firing(3, 200)), (12, firing(9, 230))],
    );
    assert_eq!(known.unwrap().span, firing(3, 240));
    assert_eq!(told, [Change::Fired]);
}

#[test]
fn a_start_after_the_end_is_a_new_alert() {
    let messages = [(0, firing(0, 240)), (60, resolved(0, 60)), (90, firing(90, 330))];
    assert_eq!(told(&messages), [Change::Fired, Change::Resolved, Change::Fired]);
}

#[test]
fn a_restarted_prometheus_that_forgot_the_start_goes_on_with_the_same_alert() {
    let (known, told) = changes(Manner::Repeats, &[(0, firing(0, 240)), (120, firing(120, 360))]);
    assert_eq!(told, [Change::Fired]);
    assert_eq!(known.unwrap().span, firing(0, 360));
}

#[test]
fn a_late_resolve_of_the_firing_before_does_not_end_this_one() {
    let messages = [
        (0, firing(0, 240)),
        (60, resolved(0, 60)),
        (90, firing(90, 330)),
        (95, resolved(0, 60)),
    ];
    let (known, told) = changes(Manner::Repeats, &messages);
    assert_eq!(told, [Change::Fired, Change::Resolved, Change::Fired]);
    assert_eq!(known.unwrap().span, firing(90, 330));
}

#[test]
fn a_resolve_without_a_start_ends_what_fires() {
    let (known, told) = changes(Manner::Repeats, &[(0, firing(0, 240)), (60, resolved(60, 60))]);
    assert_eq!(told, [Change::Fired, Change::Resolved]);
    assert_eq!(known.unwrap().span, resolved(0, 60));
}

#[test]
fn a_resolve_after_the_supposed_end_still_ends_it() {
    assert_eq!(
        told(&[(0, firing(0, 240)), (300, resolved(300, 300))]),
        [Change::Fired, Change::Resolved]
    );
}

/// One of a pair of Prometheus can't see what the other sees: both repeat what they think.
#[test]
fn a_pair_that_contradicts_itself_makes_two_edges_and_no_more() {
    let mut messages = vec![(0, firing(0, 240)), (1, firing(1, 241))];
    for minute in 1..15 {
        messages.push((minute * 60, resolved(0, 60)));
        messages.push((minute * 60 + 1, firing(1, minute * 60 + 241)));
    }
    assert_eq!(told(&messages), [Change::Fired, Change::Resolved]);
}

#[test]
fn a_firing_that_another_replaced_is_told_to_have_ended() {
    let messages = [(0, firing(0, 240)), (300, firing(300, 540))];
    assert_eq!(told(&messages), [Change::Fired, Change::Expired, Change::Fired]);
}

#[test]
fn an_alertmanagers_later_start_is_another_firing() {
    let messages = [
        (0, firing(0, 432_000)),
        (3_600, firing(3_600, 435_600)),
        (3_700, firing(3_600, 435_700)),
    ];
    assert_eq!(
        changes(Manner::Tells, &messages).1,
        [Change::Fired, Change::Expired, Change::Fired]
    );
}

#[test]
fn an_alertmanagers_older_firing_that_comes_late_is_no_news() {
    let messages = [
        (0, firing(0, 432_000)),
        (60, firing(60, 432_060)),
        (61, firing(0, 432_061)),
        (62, firing(60, 432_062)),
    ];
    assert_eq!(
        changes(Manner::Tells, &messages).1,
        [Change::Fired, Change::Expired, Change::Fired]
    );
}

#[test]
fn silence_expires_a_firing_once() {
    let (known, _) = changes(Manner::Repeats, &[(0, firing(0, 240))]);
    let known = known.unwrap();
    assert_eq!(expire(&known, at(239)), None);
    let ended = expire(&known, at(240)).unwrap();
    assert_eq!(ended.told, Told::Expired);
    assert_eq!(expire(&ended, at(500)), None);
}

#[test]
fn a_word_after_the_silence_is_news() {
    let (known, _) = changes(Manner::Repeats, &[(0, firing(0, 240))]);
    let ended = expire(&known.unwrap(), at(240)).unwrap();
    let again = merge(Some(&ended), firing(0, 540), Manner::Repeats, at(300));
    assert_eq!((again.change, again.known.since), (Some(Change::Fired), at(0)));
    let said = merge(Some(&ended), resolved(0, 250), Manner::Repeats, at(300));
    assert_eq!(said.change, Some(Change::Resolved));
    assert_eq!(expire(&said.known, at(900)), None);
}

#[test]
fn only_a_pause_longer_than_attention_is_deafness() {
    assert_eq!(deaf(at(0), at(90)), TimeDelta::zero());
    assert_eq!(deaf(at(0), at(91)), TimeDelta::seconds(91));
    assert_eq!(deaf(at(100), at(0)), TimeDelta::zero());
}

#[test]
fn told_is_read_as_it_is_written() {
    for told in [Told::Nothing, Told::Fired, Told::Expired, Told::Resolved] {
        assert_eq!(Told::parse(told.as_str()), Some(told));
    }
    assert_eq!(Told::parse("?"), None);
}

/// Second of arrival, start, end.
type Message = (i64, i64, i64);

/// Messages over ten minutes, such as `intake` makes: what has ended is resolved.
fn story() -> impl Strategy<Value = Vec<Message>> {
    let message = |now: i64| (Just(now), now - 300..=now, 0_i64..600);
    prop::collection::vec(0_i64..600, 1..20).prop_flat_map(move |mut times| {
        times.sort_unstable();
        times
            .into_iter()
            .map(|now| message(now).prop_map(|(now, start, length)| (now, start, start + length)))
            .collect::<Vec<_>>()
    })
}

fn span((now, start, end): Message) -> (i64, Span) {
    (
        now,
        if end <= now {
            resolved(start, end)
        } else {
            firing(start, end)
        },
    )
}

fn manner() -> impl Strategy<Value = Manner> {
    prop_oneof![Just(Manner::Repeats), Just(Manner::Tells)]
}

proptest! {
    #[test]
    fn whatever_is_sent_twice_is_told_once(story in story(), manner in manner()) {
        let story: Vec<_> = story.into_iter().map(span).collect();
        let doubled: Vec<_> = story.iter().flat_map(|message| [*message, *message]).collect();
        prop_assert_eq!(changes(manner, &story), changes(manner, &doubled));
    }

    /// While all of them fire at once the order in which they come doesn't matter.
    #[test]
    fn simultaneous_firings_come_to_the_same_in_any_order(
        spans in prop::collection::vec((0_i64..100, 101_i64..300), 1..8).prop_shuffle(),
        at_last in any::<prop::sample::Index>(),
    ) {
        let messages: Vec<_> = spans.iter().map(|(start, end)| (100, firing(*start, *end))).collect();
        let mut turned = messages.clone();
        turned.rotate_left(at_last.index(messages.len()));
        let (one, one_told) = changes(Manner::Repeats, &messages);
        let (other, other_told) = changes(Manner::Repeats, &turned);
        prop_assert_eq!(one.unwrap().span, other.unwrap().span);
        prop_assert_eq!(one_told, other_told);
    }

    /// A source that repeats everything it ever said, over and over, starts no storm.
    #[test]
    fn repeating_the_whole_story_comes_to_rest(story in story(), manner in manner()) {
        let again: Vec<_> = story.iter().map(|(_, start, end)| span((600, *start, *end))).collect();
        let story: Vec<_> = story.into_iter().map(span).collect();
        let thrice = [story.clone(), again.clone(), again.clone()].concat();
        let more = [thrice.clone(), again].concat();
        prop_assert_eq!(changes(manner, &thrice).1, changes(manner, &more).1);
    }

    /// Never fired twice without an end between, and never ended without having fired.
    #[test]
    fn fired_and_ended_alternate(story in story(), manner in manner()) {
        let story: Vec<_> = story.into_iter().map(span).collect();
        let (_, told) = changes(manner, &story);
        for (n, change) in told.iter().enumerate() {
            prop_assert_eq!(*change == Change::Fired, n % 2 == 0, "{:?}", told);
        }
    }
}
