//! A Port on an NFC tag: an NDEF message with a URI record (§2.8).

use zeroize::Zeroizing;

use super::Port;
use super::find::Finder;
#[cfg(feature = "portal")]
use super::find::or_card;
use super::find::sought::Sought;
use super::text::{PortLink, QrText};
use crate::cbor::Bytes;
use crate::error::{BufferTooSmall, FindError};

const FIRST: u8 = 0x80;
const LAST: u8 = 0x40;
const CHUNKED: u8 = 0x20;
const SHORT: u8 = 0x10;
const HAS_ID: u8 = 0x08;

const EMPTY: u8 = 0;
const WELL_KNOWN: u8 = 1;
const ABSOLUTE_URI: u8 = 3;
const UNCHANGED: u8 = 6;

/// What a URI record shortens to its number, longest first. Other numbers stand for schemes of other things.
const PREFIXES: [(u8, &str); 4] = [(2, "https://www."), (1, "http://www."), (4, "https://"), (3, "http://")];

impl PortLink<'_> {
    /// Writes an NDEF message with the link as its one URI record, and returns what was written: up to 10 bytes more than the link has
    /// characters, and 8 fewer of `https://`. A plain Port's link takes 123 bytes, and one for each character of its base behind
    /// `https://`. A tag needs 3 bytes around them. So an NTAG213, which has 144, holds the link of a plain Port if at most 18 characters
    /// stand there; or 13 if the five bytes stay that its maker put in front.
    ///
    /// # Errors
    /// [`BufferTooSmall`]: pass a longer buffer.
    pub fn ndef_into<'b>(&self, out: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        write(self.parts(), out)
    }
}

impl QrText {
    /// Writes an NDEF message with the QR text as its one URI record, and returns what was written: 127 bytes for a plain Port, at most
    /// 348. A phone without an app for it can't open it: for such phones write a [`link`](Port::link).
    ///
    /// # Errors
    /// [`BufferTooSmall`]: pass a longer buffer.
    pub fn ndef_into<'b>(&self, out: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
        write([self.as_str(), "", ""], out)
    }
}

impl Port {
    /// Finds the Port in an NDEF message, as [`find`](Self::find) does in a text: in its URI and text records, and in those inside a
    /// smart poster. It skips other records.
    ///
    /// # Errors
    /// Those of [`find`](Self::find). A message that is malformed or chunked is [`FindError::Damaged`].
    pub fn find_in_ndef(message: &[u8]) -> Result<Self, FindError> {
        let mut finder = Finder::new();
        read(message, &mut finder).ok_or(FindError::Damaged)?;
        let found = finder.verdict();
        #[cfg(feature = "portal")]
        let found = found.map_err(|error| or_card(error, |finder| _ = read(message, finder)));
        found
    }
}

/// One URI record of these texts, one behind the other.
pub(crate) fn write<'b>(uri: [&str; 3], out: &'b mut [u8]) -> Result<&'b mut [u8], BufferTooSmall> {
    let [first, others @ ..] = uri;
    let shortened = PREFIXES.iter().find_map(|(number, prefix)| Some((*number, first.strip_prefix(*prefix)?)));
    let (number, first) = shortened.unwrap_or((0, first));
    let parts = [first].into_iter().chain(others);
    let length = parts.clone().fold(1_usize, |length, part| length.saturating_add(part.len()));
    let mut writer = Writer { out: &mut *out, length: 0 };
    match u8::try_from(length) {
        Ok(length) => writer.put(&[FIRST | LAST | SHORT | WELL_KNOWN, 1, length])?,
        Err(_) => {
            writer.put(&[FIRST | LAST | WELL_KNOWN, 1])?;
            writer.put(&u32::try_from(length).map_err(|_| BufferTooSmall)?.to_be_bytes())?;
        }
    }
    writer.put(&[b'U', number])?;
    for part in parts {
        writer.put(part.as_bytes())?;
    }
    let written = writer.length;
    out.get_mut(..written).ok_or(BufferTooSmall)
}

struct Writer<'b> {
    out: &'b mut [u8],
    length: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Result<(), BufferTooSmall> {
        let end = self.length.saturating_add(bytes.len());
        self.out.get_mut(self.length..end).ok_or(BufferTooSmall)?.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }
}

/// Looks into each record. `None`: the message is malformed.
pub(crate) fn read<T: Sought>(message: &[u8], finder: &mut Finder<T>) -> Option<()> {
    records(message, finder, true)
}

fn records<T: Sought>(message: &[u8], finder: &mut Finder<T>, may_nest: bool) -> Option<()> {
    let (mut rest, mut is_first) = (message, true);
    loop {
        let flags = byte(&mut rest)?;
        let sort = flags & 7;
        if (flags & FIRST != 0) != is_first || flags & CHUNKED != 0 || sort == UNCHANGED {
            return None;
        }
        is_first = false;
        let name_length = byte(&mut rest)?.into();
        let payload_length = if flags & SHORT != 0 {
            byte(&mut rest)?.into()
        } else {
            let length = take(&mut rest, 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(length)).ok()?
        };
        let id_length = if flags & HAS_ID != 0 { byte(&mut rest)?.into() } else { 0 };
        let name = take(&mut rest, name_length)?;
        take(&mut rest, id_length)?;
        let payload = take(&mut rest, payload_length)?;
        match (sort, name) {
            (EMPTY, _) if name_length != 0 || id_length != 0 || payload_length != 0 => return None,
            (WELL_KNOWN, b"U") => uri(payload, finder)?,
            (WELL_KNOWN, b"T") => text(payload, finder)?,
            (WELL_KNOWN, b"Sp") if may_nest => records(payload, finder, false)?,
            (ABSOLUTE_URI, uri) => look(uri, finder),
            _ => {}
        }
        if flags & LAST != 0 {
            return rest.is_empty().then_some(());
        }
    }
}

fn byte(rest: &mut &[u8]) -> Option<u8> {
    take(rest, 1)?.first().copied()
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, behind) = rest.split_at_checked(length)?;
    *rest = behind;
    Some(taken)
}

/// A text that is put together.
type Whole = Zeroizing<Bytes<1024>>;

fn uri<T: Sought>(payload: &[u8], finder: &mut Finder<T>) -> Option<()> {
    let (number, rest) = payload.split_first()?;
    let prefix = PREFIXES.iter().find(|(of, _)| of == number).map_or("", |(_, prefix)| prefix);
    let mut whole = Whole::new(Bytes::EMPTY);
    let fits = whole.append(prefix.as_bytes()).and_then(|()| whole.append(rest));
    // In a longer one the base is not judged.
    look(if fits.is_some() { whole.as_slice() } else { rest }, finder);
    Some(())
}

fn text<T: Sought>(payload: &[u8], finder: &mut Finder<T>) -> Option<()> {
    const IS_UTF_16: u8 = 0x80;
    const LANGUAGE: u8 = 0x3f;
    let (status, rest) = payload.split_first()?;
    let text = rest.get(usize::from(status & LANGUAGE)..)?;
    if status & IS_UTF_16 == 0 {
        look(text, finder);
        return Some(());
    }
    if text.len() % 2 != 0 {
        return None;
    }
    let pairs =
        text.chunks_exact(2).map(|pair| [pair.first(), pair.last()].map(|byte| byte.copied().unwrap_or_default()));
    // A mark of the order of bytes; without one it is the other order.
    let is_little = text.starts_with(&[0xff, 0xfe]);
    let units = pairs.map(|pair| if is_little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) });
    let mut whole = Whole::new(Bytes::EMPTY);
    for c in char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)) {
        // What does not fit is cut off, and said to be.
        if whole.append(c.encode_utf8(&mut [0; 4]).as_bytes()).is_none() {
            break;
        }
    }
    look(whole.as_slice(), finder);
    Some(())
}

fn look<T: Sought>(text: &[u8], finder: &mut Finder<T>) {
    for chunk in text.utf8_chunks() {
        finder.look(chunk.valid());
    }
}
