//! The answer's JSON, read straight into what is kept of it: no tree is made of it first, and what is too much
//! ends the reading.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt;

use evenkeel_engine::port::metrics::{Point, Series};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::super::most_points;
use super::{LABELS, Most, NOTES, point, words};

#[derive(Debug, Default)]
pub struct Answer {
    pub status: Option<String>,
    pub kind: Option<String>,
    /// A result was there, and it was a list.
    pub listed: bool,
    pub items: Vec<Item>,
    pub error_type: Option<String>,
    pub error: Option<String>,
    pub warnings: Said,
    pub infos: Said,
}

/// Of a result's list: a scalar is a list of two.
#[derive(Debug)]
pub enum Item {
    /// True: with points over a range.
    Series(Series, bool),
    /// They come under a key of their own, beside the numbers or instead of them.
    Histograms,
    Number(f64),
    Text(String),
}

#[derive(Debug, Default)]
pub struct Said {
    pub first: Vec<String>,
    pub more: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Fault {
    NoJson,
    /// It is none of a Prometheus.
    Strange,
    /// More than so many of something.
    TooMany(String),
}

pub fn parse(body: &[u8], most: Most) -> Result<Answer, Fault> {
    let bounds = Bounds {
        most,
        series: Cell::new(0),
        points: Cell::new(0),
        broken: Cell::default(),
    };
    let mut json = serde_json::Deserializer::from_slice(body);
    let read = Whole(&bounds).deserialize(&mut json);
    let read = read.and_then(|answer| json.end().map(|()| answer));
    read.map_err(|error| match bounds.broken.take() {
        Some(what) => Fault::TooMany(what),
        None if error.is_data() => Fault::Strange,
        None => Fault::NoJson,
    })
}

struct Bounds {
    most: Most,
    series: Cell<usize>,
    points: Cell<usize>,
    broken: Cell<Option<String>>,
}

impl Bounds {
    fn broken<E: Error>(&self, what: String) -> E {
        self.broken.set(Some(what));
        E::custom("too large")
    }

    fn one_more_series<E: Error>(&self) -> Result<(), E> {
        self.series.set(self.series.get() + 1);
        match self.series.get() <= self.most.series {
            true => Ok(()),
            false => Err(self.broken(format!("{} series, which is `series` of [sandbox]", self.most.series))),
        }
    }

    fn one_more_point<E: Error>(&self) -> Result<(), E> {
        self.points.set(self.points.get() + 1);
        match self.points.get() <= self.most.points {
            true => Ok(()),
            false => Err(self.broken(most_points(self.most.points))),
        }
    }
}

/// A type's seed and the kind of JSON that it takes; whatever else comes is an error.
macro_rules! takes {
    ($seed:ty => $value:ty, $method:ident, $what:literal, $($visit:item)*) => {
        impl<'de> DeserializeSeed<'de> for $seed {
            type Value = $value;
            fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<$value, D::Error> {
                json.$method(self)
            }
        }
        impl<'de> Visitor<'de> for $seed {
            type Value = $value;
            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str($what)
            }
            $($visit)*
        }
    };
}

struct Whole<'b>(&'b Bounds);

takes! { Whole<'_> => Answer, deserialize_map, "an answer",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Answer, A::Error> {
        let mut answer = Answer::default();
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "status" => answer.status = map.next_value_seed(Word)?,
                // There is nothing to it in an error.
                "data" if answer.status.as_deref().is_none_or(|status| status == "success") => {
                    map.next_value_seed(Data(self.0, &mut answer))?;
                }
                "errorType" => answer.error_type = map.next_value_seed(Word)?,
                "error" => answer.error = map.next_value_seed(Word)?,
                "warnings" => answer.warnings = map.next_value_seed(Sayings)?,
                "infos" => answer.infos = map.next_value_seed(Sayings)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(answer)
    }
}

/// A short text; a number or nothing in its place is taken too.
struct Word;

takes! { Word => Option<String>, deserialize_any, "a text",
    fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(words(text)))
    }
    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<String>, E> {
        Ok(Some(number.to_string()))
    }
    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }
}

struct Sayings;

takes! { Sayings => Said, deserialize_any, "a list of texts",
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Said, A::Error> {
        let mut said = Said::default();
        while let Some(text) = list.next_element_seed(Word)? {
            match text.filter(|_| said.first.len() < NOTES) {
                Some(text) => said.first.push(text),
                None => said.more += 1,
            }
        }
        Ok(said)
    }
    fn visit_unit<E: Error>(self) -> Result<Said, E> {
        Ok(Said::default())
    }
}

struct Data<'b>(&'b Bounds, &'b mut Answer);

takes! { Data<'_> => (), deserialize_any, "a result and its type",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "resultType" => self.1.kind = map.next_value_seed(Word)?,
                "result" => {
                    let items = map.next_value_seed(List(self.0))?;
                    self.1.listed = items.is_some();
                    self.1.items = items.unwrap_or_default();
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
}

struct List<'b>(&'b Bounds);

takes! { List<'_> => Option<Vec<Item>>, deserialize_any, "a list",
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<Vec<Item>>, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(One(self.0))? {
            if items.len() > 1 && matches!(item, Item::Number(_) | Item::Text(_)) {
                return Err(A::Error::custom("a scalar of more than two"));
            }
            items.push(item);
        }
        Ok(Some(items))
    }
    fn visit_unit<E: Error>(self) -> Result<Option<Vec<Item>>, E> {
        Ok(None)
    }
}

struct One<'b>(&'b Bounds);

takes! { One<'_> => Item, deserialize_any, "a series",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item, A::Error> {
        self.0.one_more_series()?;
        let (mut labels, mut points, mut histograms) = (None, None, false);
        while let Some(key) = map.next_key::<Cow<'_, str>>()? {
            match key.as_ref() {
                "metric" => labels = Some(map.next_value_seed(Labels(self.0))?),
                "value" => {
                    self.0.one_more_point()?;
                    points = Some((vec![map.next_value_seed(Sample)?], false));
                }
                "values" => points = Some((map.next_value_seed(Samples(self.0))?, true)),
                "histogram" | "histograms" => {
                    map.next_value::<IgnoredAny>()?;
                    histograms = true;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if histograms {
            return Ok(Item::Histograms);
        }
        let labels = labels.ok_or_else(|| A::Error::missing_field("metric"))?;
        let (points, ranged) = points.ok_or_else(|| A::Error::missing_field("value"))?;
        Ok(Item::Series(Series { labels, points }, ranged))
    }
    fn visit_f64<E: Error>(self, number: f64) -> Result<Item, E> {
        Ok(Item::Number(number))
    }
    #[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are far below that")]
    fn visit_u64<E: Error>(self, number: u64) -> Result<Item, E> {
        Ok(Item::Number(number as f64))
    }
    #[expect(clippy::cast_precision_loss, reason = "the same")]
    fn visit_i64<E: Error>(self, number: i64) -> Result<Item, E> {
        Ok(Item::Number(number as f64))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Item, E> {
        Ok(Item::Text(text.to_owned()))
    }
}

struct Labels<'b>(&'b Bounds);

takes! { Labels<'_> => Vec<(String, String)>, deserialize_map, "labels",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<(String, String)>, A::Error> {
        let mut labels: Vec<(String, String)> = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, String>()? {
            if labels.len() == LABELS {
                return Err(self.0.broken(format!("{LABELS} labels on one series")));
            }
            if labels.iter().any(|(other, _)| *other == name) {
                return Err(A::Error::custom("a label that is there twice"));
            }
            labels.push((name, value));
        }
        Ok(labels)
    }
}

struct Samples<'b>(&'b Bounds);

takes! { Samples<'_> => Vec<Point>, deserialize_seq, "samples",
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Point>, A::Error> {
        let mut points = Vec::new();
        while let Some(point) = list.next_element_seed(Sample)? {
            self.0.one_more_point()?;
            points.push(point);
        }
        Ok(points)
    }
}

struct Sample;

takes! { Sample => Point, deserialize_seq, "a time and a value",
    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Point, A::Error> {
        let wrong = || A::Error::custom("no time and value");
        let at = pair.next_element::<f64>()?.ok_or_else(wrong)?;
        let value = pair.next_element::<Cow<'_, str>>()?.ok_or_else(wrong)?;
        match pair.next_element::<IgnoredAny>()? {
            None => point(at, &value).ok_or_else(wrong),
            Some(_) => Err(wrong()),
        }
    }
}
