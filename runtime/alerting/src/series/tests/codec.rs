use proptest::collection::vec;
use proptest::prelude::*;

use crate::promql::STALE;
use crate::series::FURTHEST_MS;
use crate::series::bits::{BitReader, BitWriter};
use crate::series::ints;
use crate::series::times::Column;
use crate::series::values::{Scratch, Values};

fn odd() -> impl Strategy<Value = f64> {
    let fixed = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.1,
        0.3,
        1e-9,
        f64::MIN_POSITIVE,
        f64::MIN_POSITIVE / 3.0,
        f64::MAX,
        f64::MIN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::NAN,
        -f64::NAN,
        f64::from_bits(STALE),
        f64::from_bits(0x7ff8_dead_beef_0001),
        9_007_199_254_740_991.0,
        9_007_199_254_740_992.0,
        9_007_199_254_740_993.0,
        -9_007_199_254_740_994.0,
    ];
    prop_oneof![
        prop::sample::select(fixed.to_vec()),
        any::<u64>().prop_map(f64::from_bits),
        (-100i64..100).prop_map(|int| int as f64),
        (-1_000_000i64..1_000_000).prop_map(|int| int as f64 / 1000.0),
        (0u32..50).prop_map(|int| f64::from(int) * 4096.0),
    ]
}

/// Of one kind, and sometimes with one of another kind among them.
fn series() -> impl Strategy<Value = Vec<f64>> {
    let counter = (0u32..1_000_000, vec(0u32..40, 1..300)).prop_map(|(first, steps)| {
        let mut value = f64::from(first);
        let sums = steps.into_iter().map(|step| {
            value += f64::from(step);
            value
        });
        sums.collect::<Vec<_>>()
    });
    let seconds = counter
        .clone()
        .prop_map(|ints| ints.into_iter().map(|int| int / 100.0).collect());
    let pages = counter
        .clone()
        .prop_map(|ints| ints.into_iter().map(|int| int * 4096.0).collect());
    let fine = vec(0f64..1.0, 1..300);
    let flat = (odd(), 1usize..300).prop_map(|(value, count)| vec![value; count]);
    let one_kind = prop_oneof![counter, seconds, pages, fine, flat, vec(odd(), 1..300)];
    (one_kind, prop::option::of((any::<prop::sample::Index>(), odd()))).prop_map(|(mut values, other)| {
        if let Some((place, other)) = other {
            let place = place.index(values.len());
            values[place] = other;
        }
        values
    })
}

fn times() -> impl Strategy<Value = Vec<i64>> {
    let gap = prop_oneof![Just(15_000i64), 14_990i64..15_010, 1i64..10, 1i64..FURTHEST_MS / 100];
    (-FURTHEST_MS..FURTHEST_MS, vec(gap, 0..130)).prop_map(|(first, gaps)| {
        let mut times = vec![first];
        let mut last = first;
        for gap in gaps {
            last += gap;
            if last > FURTHEST_MS {
                break;
            }
            times.push(last);
        }
        times
    })
}

proptest! {
    #[test]
    fn values_come_back_to_the_bit(values in series(), share in 0usize..=100) {
        let mut scratch = Scratch::default();
        let packed = Values::pack(&values, &mut scratch);
        let count = values.len() * share / 100;
        let mut back = Vec::new();
        packed.unpack(count, &mut back, &mut scratch);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        prop_assert_eq!(bits(&back), bits(&values[..count]));
    }

    #[test]
    fn times_come_back(times in times()) {
        let column = Column::pack(&times, &mut BitWriter::default());
        let mut back = Vec::new();
        column.unpack(&mut back);
        prop_assert_eq!(back, times);
    }

    #[test]
    fn any_integers_come_back(values in vec(any::<i64>(), 0..100)) {
        let mut bits = BitWriter::default();
        ints::pack(&values, &mut bits);
        let mut back = Vec::new();
        ints::unpack(&mut BitReader::new(&bits.take()), values.len(), &mut back);
        prop_assert_eq!(back, values);
    }

    #[test]
    fn bits_come_back(parts in vec((any::<u64>(), 0u32..=64), 0..200)) {
        let cut = |value: u64, width: u32| if width == 0 { 0 } else { value >> (64 - width) };
        let mut writer = BitWriter::default();
        parts.iter().for_each(|(value, width)| writer.put(cut(*value, *width), *width));
        let bytes = writer.take();
        let mut reader = BitReader::new(&bytes);
        for (value, width) in parts {
            prop_assert_eq!(reader.take(width), cut(value, width));
        }
    }

    #[test]
    fn any_bytes_unpack_to_as_many_values(bytes in vec(any::<u8>(), 0..200), count in 0usize..1024) {
        let mut back = Vec::new();
        Values::Packed(bytes.into()).unpack(count, &mut back, &mut Scratch::default());
        prop_assert_eq!(back.len(), count);
    }
}

fn size(values: &[f64]) -> usize {
    Values::pack(values, &mut Scratch::default()).heap()
}

#[test]
fn what_is_simple_is_short() {
    let of = |f: fn(i32) -> f64| (0..128).map(f).collect::<Vec<_>>();
    assert_eq!(size(&of(|_| f64::NAN)), 0);
    assert!(size(&of(f64::from)) <= 16, "a counter that is steady");
    assert!(
        size(&of(|i| f64::from(i * i % 16 + i * 300))) <= 128,
        "a counter that is not"
    );
    assert!(
        size(&of(|i| f64::from(i * 1501) / 100.0)) <= 16,
        "seconds with two places"
    );
    assert!(size(&of(|i| f64::from(i % 7) * 4096.0)) <= 96, "pages");
    assert!(
        size(&of(|i| f64::from(i).sqrt())) <= 1024 + 64,
        "no form makes it much longer"
    );
}
