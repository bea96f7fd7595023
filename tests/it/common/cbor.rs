//! Just enough CBOR to look into what the crate writes, and to write what it never would.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cbor {
    Uint(u64),
    Bytes(Vec<u8>),
    Text(String),
    Bool(bool),
    Null,
    Array(Vec<Self>),
}

impl Cbor {
    pub fn read(bytes: &[u8]) -> Self {
        let mut decoder = Decoder::new(bytes);
        let value = Self::next(&mut decoder);
        assert_eq!(decoder.position(), bytes.len(), "trailing bytes");
        value
    }

    fn next(d: &mut Decoder<'_>) -> Self {
        match d.datatype().unwrap() {
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => Self::Uint(d.u64().unwrap()),
            Type::Bytes => Self::Bytes(d.bytes().unwrap().to_vec()),
            Type::String => Self::Text(d.str().unwrap().to_owned()),
            Type::Bool => Self::Bool(d.bool().unwrap()),
            Type::Null => {
                d.null().unwrap();
                Self::Null
            }
            Type::Array => {
                let length = d.array().unwrap().unwrap();
                Self::Array((0..length).map(|_| Self::next(d)).collect())
            }
            other => panic!("the crate never writes {other}"),
        }
    }

    pub fn write(&self) -> Vec<u8> {
        let mut e = Encoder::new(Vec::new());
        self.put(&mut e);
        e.into_writer()
    }

    fn put(&self, e: &mut Encoder<Vec<u8>>) {
        match self {
            Self::Uint(n) => e.u64(*n).map(drop),
            Self::Bytes(bytes) => e.bytes(bytes).map(drop),
            Self::Text(text) => e.str(text).map(drop),
            Self::Bool(bool) => e.bool(*bool).map(drop),
            Self::Null => e.null().map(drop),
            Self::Array(items) => {
                e.array(items.len() as u64).unwrap();
                items.iter().for_each(|item| item.put(e));
                Ok(())
            }
        }
        .unwrap();
    }

    pub fn items(&self) -> &[Self] {
        match self {
            Self::Array(items) => items,
            other => panic!("no array: {other:?}"),
        }
    }

    pub fn uint(&self) -> u64 {
        match self {
            Self::Uint(n) => *n,
            other => panic!("no number: {other:?}"),
        }
    }

    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            other => panic!("no byte string: {other:?}"),
        }
    }

    /// What is at this place.
    pub fn at(&self, path: &[usize]) -> &Self {
        path.iter().fold(self, |value, &index| &value.items()[index])
    }

    /// The same with something else at this place.
    pub fn with(mut self, path: &[usize], new: Self) -> Self {
        let place = path.iter().fold(&mut self, |value, &index| match value {
            Self::Array(items) => &mut items[index],
            other => panic!("no array: {other:?}"),
        });
        *place = new;
        self
    }
}

/// Encodings of the same value that are not the canonical one (§1.2), and longer arrays.
pub fn not_canonical(canonical: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![("a byte after it".to_owned(), [canonical, &[0]].concat())];
    let mut d = Decoder::new(canonical);
    while d.position() < canonical.len() {
        let start = d.position();
        let (before, at) = canonical.split_at(start);
        let mut add = |what: &str, instead: Vec<u8>| found.push((format!("{what} at {start}"), instead));
        match d.datatype().unwrap() {
            Type::Array => {
                let length = u8::try_from(d.array().unwrap().unwrap()).unwrap();
                let content = &canonical[d.position()..];
                assert!(length < 23);
                add("an overlong array", [before, &[0x98, length], content].concat());
                let end = end_of(at);
                let (inside, after) = (&canonical[start + 1..start + end], &canonical[start + end..]);
                add("an indefinite array", [before, &[0x9f], inside, &[0xff], after].concat());
                add("a surplus null", [before, &[0x80 | (length + 1)], inside, &[0xf6], after].concat());
                add("a surplus false", [before, &[0x80 | (length + 1)], inside, &[0xf4], after].concat());
            }
            Type::Bytes | Type::String => {
                let kind = at[0] & 0xe0;
                d.skip().unwrap();
                let (item, after) = (&canonical[start..d.position()], &canonical[d.position()..]);
                let content = match item[0] & 0x1f {
                    0x18 => &item[2..],
                    0x19 => &item[3..],
                    0x1a => &item[5..],
                    _ => &item[1..],
                };
                let length = u32::try_from(content.len()).unwrap();
                let long = [&[kind | 0x1a], &length.to_be_bytes()[..]].concat();
                if item[0] & 0x1f < 0x1a {
                    add("an overlong length", [before, &long, content, after].concat());
                }
                add("an indefinite string", [before, &[kind | 0x1f], item, &[0xff], after].concat());
            }
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
                let number = d.u64().unwrap();
                let after = &canonical[d.position()..];
                if u32::try_from(number).is_ok() {
                    add("an overlong number", [before, &[0x1b], &number.to_be_bytes(), after].concat());
                }
                if let (Ok(small), true) = (u8::try_from(number), number < 24) {
                    add("a number in two bytes", [before, &[0x18, small], after].concat());
                }
            }
            _ => d.skip().unwrap(),
        }
    }
    found
}

fn end_of(item: &[u8]) -> usize {
    let mut d = Decoder::new(item);
    d.skip().unwrap();
    d.position()
}
