//! JSON that every reader reads alike (RFC 7493): no member twice, no half character, no number that is out of range (§18.5).

use alloc::borrow::{Cow, ToOwned};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use core::cell::Cell;
use core::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value. Numbers, `true` and `false` are in no format of ours, and are only checked.
#[derive(Debug)]
pub(super) enum Json<'a> {
    Null,
    Text(Cow<'a, str>),
    List(Vec<Json<'a>>),
    Object(BTreeMap<Cow<'a, str>, Json<'a>>),
    Other,
}

pub(super) enum JsonError {
    /// Where reading stopped, counted from 1.
    Syntax {
        line: usize,
        column: usize,
    },
    Duplicate(Box<str>),
}

impl<'a> Json<'a> {
    /// Reads a document of 128 levels at most. What it holds is in proportion to the text.
    pub(super) fn read(text: &'a str) -> Result<Self, JsonError> {
        let duplicate = Cell::new(None);
        let mut from = serde_json::Deserializer::from_str(text);
        let read = Reader(&duplicate).deserialize(&mut from).and_then(|json| from.end().map(|()| json));
        read.map_err(|error| match duplicate.take() {
            Some(key) => JsonError::Duplicate(key),
            None => JsonError::Syntax { line: error.line(), column: error.column() },
        })
    }
}

/// Keeps the name of a member that comes twice, which an error of serde can't carry.
#[derive(Clone, Copy)]
struct Reader<'c>(&'c Cell<Option<Box<str>>>);

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Json<'de>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Json<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json<'de>, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json<'de>, E> {
        Ok(Json::Other)
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json<'de>, E> {
        Ok(Json::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json<'de>, A::Error> {
        let mut object = BTreeMap::new();
        while let Some(key) = members.next_key_seed(self)? {
            let Json::Text(key) = key else { return Err(A::Error::custom("a name is text")) };
            match object.entry(key) {
                Entry::Vacant(place) => drop(place.insert(members.next_value_seed(self)?)),
                Entry::Occupied(first) => {
                    self.0.set(Some(first.key().as_ref().into()));
                    return Err(A::Error::custom("a member that comes twice"));
                }
            }
        }
        Ok(Json::Object(object))
    }
}
