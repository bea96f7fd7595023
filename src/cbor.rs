//! Canonical CBOR (§1.2): one encoding per value.
//!
//! minicbor writes deterministic CBOR (RFC 8949 §4.2.1) but reads more than it writes: overlong integers,
//! indefinite lengths, surplus elements. [`decode`] therefore encodes what it has read once more, through a
//! writer that compares instead of storing.

use core::convert::Infallible;
use core::fmt;

use minicbor::encode::Write;
use minicbor::encode::write::Cursor;
use minicbor::{Decode, Decoder, Encode, Encoder};
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::error::{BufferTooSmall, DecodeError};

/// The version that stands first in everything that is written (§1.3).
pub(crate) const VERSION: u8 = 1;

/// Encodes into `out` and returns what was written.
pub(crate) fn encode<'b, T: Encode<()>>(value: &T, out: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
    let mut writer = Cursor::new(&mut *out);
    let written = minicbor::encode(value, &mut writer);
    let length = writer.position();
    match (written, out.get_mut(..length)) {
        (Ok(()), Some(bytes)) => Ok(bytes),
        _ => Err(BufferTooSmall),
    }
}

/// Encodes onto the heap.
#[cfg(feature = "alloc")]
pub(crate) fn encode_to_vec<T: Encode<()>>(value: &T) -> alloc::vec::Vec<u8> {
    // A vector that grew would leave copies of a secret behind.
    let mut bytes = alloc::vec::Vec::with_capacity(length(value));
    append(value, &mut bytes);
    bytes
}

/// Encodes behind what the vector holds.
#[cfg(feature = "alloc")]
pub(crate) fn append<T: Encode<()>>(value: &T, bytes: &mut alloc::vec::Vec<u8>) {
    // Nothing of ours fails to encode, and a vector takes everything.
    let _ = minicbor::encode(value, Appender(bytes));
}

/// How many bytes a value's encoding has.
#[cfg(feature = "alloc")]
pub(crate) fn length<T: Encode<()>>(value: &T) -> usize {
    let mut counter = Counter(0);
    // Nothing of ours fails to encode, and a counter takes everything.
    let _ = minicbor::encode(value, &mut counter);
    counter.0
}

/// Decodes the one canonical encoding of a value, and nothing else (§1.2).
#[inline]
pub(crate) fn decode<'b, T: Decode<'b, ()> + Encode<()>>(bytes: &'b [u8]) -> Result<T, DecodeError> {
    let mut same = Comparer(bytes);
    match minicbor::decode::<T>(bytes) {
        Ok(value) if minicbor::encode(&value, &mut same).is_ok() && same.0.is_empty() => Ok(value),
        _ if is_of_another_version(bytes) => Err(DecodeError::UnsupportedVersion),
        _ => Err(DecodeError::Malformed),
    }
}

/// SHA-256 of a value's canonical encoding. Not inlined: the hasher goes with its frame.
#[inline(never)]
pub(crate) fn hash<T: Encode<()>>(value: &T) -> [u8; 32] {
    let mut hasher = Hasher(Sha256::new());
    // Nothing of ours fails to encode, and a hasher takes everything.
    let _ = minicbor::encode(value, &mut hasher);
    hasher.0.finalize().into()
}

/// Another version is told apart from damage, so that an old reader can ask for an update (§1.3). Only the head of the array and the
/// number behind it are read.
pub(crate) fn is_of_another_version(bytes: &[u8]) -> bool {
    let mut decoder = Decoder::new(bytes);
    matches!((decoder.array(), decoder.u64()), (Ok(Some(_)), Ok(version)) if version != u64::from(VERSION))
}

/// `[1, body]`: how every message stands on the wire (§7.1).
pub(crate) struct Versioned<T>(pub(crate) T);

impl<C, T: Encode<C>> Encode<C> for Versioned<T> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, ctx: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?.u8(VERSION)?.encode_with(&self.0, ctx)?.ok()
    }
}

impl<'b, C, T: Decode<'b, C>> Decode<'b, C> for Versioned<T> {
    #[inline]
    fn decode(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Self, minicbor::decode::Error> {
        d.array()?;
        d.u8()?;
        Ok(Self(d.decode_with(ctx)?))
    }
}

/// A byte string of at most `N` bytes.
#[derive(Clone)]
pub struct Bytes<const N: usize> {
    length: usize,
    bytes: [u8; N],
}

impl<const N: usize> Bytes<N> {
    pub(crate) const EMPTY: Self = Self { length: 0, bytes: [0; N] };

    pub(crate) fn new(bytes: &[u8]) -> Option<Self> {
        let mut new = Self::EMPTY;
        new.append(bytes)?;
        Some(new)
    }

    /// The encoding of `value`. `N` is chosen to hold it, as the tests named `longest` show. If it did not, the result would be empty, which
    /// nothing decodes.
    #[inline(always)]
    pub(crate) fn of<T: Encode<()>>(value: &T) -> Self {
        let mut new = Self::EMPTY;
        new.write(value);
        new
    }

    /// [`of`](Self::of), in place.
    #[inline(never)]
    pub(crate) fn write<T: Encode<()>>(&mut self, value: &T) {
        self.length = 0;
        if minicbor::encode(value, &mut *self).is_err() {
            self.length = 0;
        }
    }

    /// Lets `fill` write, and keeps as many bytes as it says.
    #[inline(always)]
    pub(crate) fn fill(&mut self, fill: impl FnOnce(&mut [u8]) -> Option<usize>) {
        self.length = fill(&mut self.bytes).unwrap_or_default();
    }

    /// `None`, and nothing added, if there is no room.
    pub(crate) fn append(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.length.checked_add(bytes.len())?;
        self.bytes.get_mut(self.length..end)?.copy_from_slice(bytes);
        self.length = end;
        Some(())
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

impl<const N: usize> fmt::Debug for Bytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} bytes]", self.length)
    }
}

impl<const N: usize> fmt::Write for Bytes<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.append(text.as_bytes()).ok_or(fmt::Error)
    }
}

impl<const N: usize> Write for Bytes<N> {
    type Error = BufferTooSmall;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        self.append(bytes).ok_or(BufferTooSmall)
    }
}

impl<const N: usize> PartialEq for Bytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const N: usize> Eq for Bytes<N> {}

impl<const N: usize> Zeroize for Bytes<N> {
    fn zeroize(&mut self) {
        *self = Self::EMPTY;
        zeroize::optimization_barrier(self);
    }
}

impl<C, const N: usize> Encode<C> for Bytes<N> {
    fn encode<W: Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(self.as_slice())?.ok()
    }
}

impl<'b, C, const N: usize> Decode<'b, C> for Bytes<N> {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        Self::new(d.bytes()?).ok_or_else(|| minicbor::decode::Error::message("byte string over its bound"))
    }
}

/// Accepts only the bytes it was given.
struct Comparer<'b>(&'b [u8]);

struct Different;

impl Write for Comparer<'_> {
    type Error = Different;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Different> {
        let (expected, rest) = self.0.split_at_checked(bytes.len()).ok_or(Different)?;
        // A field borrowed from the input is the input: a message is not read twice.
        if !core::ptr::eq(expected, bytes) && expected != bytes {
            return Err(Different);
        }
        self.0 = rest;
        Ok(())
    }
}

/// minicbor's own writer into a vector calls `memcpy` for every byte.
#[cfg(feature = "alloc")]
struct Appender<'v>(&'v mut alloc::vec::Vec<u8>);

#[cfg(feature = "alloc")]
impl Write for Appender<'_> {
    type Error = Infallible;

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.extend_from_slice(bytes);
        Ok(())
    }
}

#[cfg(feature = "alloc")]
struct Counter(usize);

#[cfg(feature = "alloc")]
impl Write for Counter {
    type Error = Infallible;

    #[inline(always)]
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0 = self.0.saturating_add(bytes.len());
        Ok(())
    }
}

struct Hasher(Sha256);

impl Write for Hasher {
    type Error = Infallible;

    fn write_all(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.0.update(bytes);
        Ok(())
    }
}

/// Makes a newtype of [`Bytes`] a short text. Its `new` says which texts are allowed.
macro_rules! text_newtype {
    ($text:ident) => {
        impl $text {
            /// The text.
            pub fn as_str(&self) -> &str {
                core::str::from_utf8(self.0.as_slice()).unwrap_or_default()
            }
        }

        impl<C> minicbor::Encode<C> for $text {
            fn encode<W: minicbor::encode::Write>(
                &self,
                e: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                e.str(self.as_str())?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $text {
            fn decode(d: &mut minicbor::Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
                Self::new(d.str()?).map_err(|_| minicbor::decode::Error::message(stringify!($text)))
            }
        }
    };
}
pub(crate) use text_newtype;
