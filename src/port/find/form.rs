//! How many bytes a Port has, or a Portal's card, as far as its first bytes tell (§2.4, §18.3).

use super::super::MAX_PORT_BYTES;

/// What the first bytes say of the length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// It has so many bytes.
    Whole(usize),
    /// More of it must be read.
    Beginning,
    /// Nothing of this sort begins like this.
    Other,
}

/// The form of a Port of this version that begins with these bytes. Only lengths are read, so that a kind of later is measured, too.
pub(super) fn port(bytes: &[u8]) -> Form {
    let mut items = Items { bytes, at: 0 };
    items.port().map_or_else(|form| form, Form::Whole)
}

/// Where a Port has its kind, a Portal's card has this: no Port has it.
#[cfg(feature = "portal")]
pub(crate) const CARD_KIND: u8 = 16;

/// The form of a Portal's card of this version that begins with these bytes.
#[cfg(feature = "portal")]
pub(crate) fn card(bytes: &[u8]) -> Form {
    const HEAD: [u8; 4] = [1, CARD_KIND, 0x58, 32];
    const BARE: usize = 1 + HEAD.len() + 32;
    let Some((first, rest)) = bytes.split_first() else { return Form::Beginning };
    if !matches!(first, 0x83 | 0x84) || rest.iter().zip(HEAD).any(|(byte, expected)| *byte != expected) {
        return Form::Other;
    }
    let mut address = bytes.iter().skip(BARE).map(|byte| usize::from(*byte));
    match (first, address.next(), address.next()) {
        (0x83, ..) => Form::Whole(BARE),
        (_, None, _) | (_, Some(0x78), None) => Form::Beginning,
        (_, Some(head @ 0x61..=0x77), _) => Form::Whole(BARE.saturating_add(head).saturating_sub(0x5f)),
        (_, Some(0x78), Some(length @ 24..=64)) => Form::Whole(BARE.saturating_add(length).saturating_add(2)),
        _ => Form::Other,
    }
}

struct Items<'a> {
    bytes: &'a [u8],
    at: usize,
}

const UINT: u8 = 0;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const NULL: (u8, usize) = (7, 22);

impl Items<'_> {
    fn port(&mut self) -> Result<usize, Form> {
        // Its one byte, and not what a longer head would need: else a word behind a `#` is the beginning of a Port.
        let fields = match self.bytes.first() {
            None => return Err(Form::Beginning),
            Some(head @ 0x85..=0x88) => usize::from(head & 0x1f),
            Some(_) => return Err(Form::Other),
        };
        self.skip(1)?;
        self.exactly((UINT, 1))?;
        if self.head()?.0 != UINT {
            return Err(Form::Other);
        }
        for length in [16, 32, 16] {
            self.exactly((BYTES, length))?;
            self.skip(length)?;
        }
        // The expiry, the relay, the ticket.
        for sort in [UINT, TEXT, ARRAY].into_iter().take(fields.saturating_sub(5)) {
            self.optional(sort)?;
        }
        Ok(self.at)
    }

    /// An item of this sort, or none.
    fn optional(&mut self, sort: u8) -> Result<(), Form> {
        match self.head()? {
            NULL => Ok(()),
            (found, count) if found == sort => self.content(sort, count),
            _ => Err(Form::Other),
        }
    }

    /// What is inside an item.
    fn content(&mut self, sort: u8, count: usize) -> Result<(), Form> {
        let (mut sort, mut count, mut left): (u8, usize, usize) = (sort, count, 0);
        loop {
            let inside = match sort {
                BYTES | TEXT => {
                    self.skip(count)?;
                    0
                }
                ARRAY => count,
                MAP => count.saturating_mul(2),
                TAG => 1,
                _ => 0,
            };
            left = left.saturating_add(inside);
            if left > MAX_PORT_BYTES {
                return Err(Form::Other);
            }
            let Some(after) = left.checked_sub(1) else { return Ok(()) };
            left = after;
            (sort, count) = self.head()?;
        }
    }

    fn exactly(&mut self, expected: (u8, usize)) -> Result<(), Form> {
        if self.head()? == expected { Ok(()) } else { Err(Form::Other) }
    }

    /// An item's sort and number.
    fn head(&mut self) -> Result<(u8, usize), Form> {
        let first = *self.bytes.get(self.at).ok_or(Form::Beginning)?;
        self.skip(1)?;
        let (sort, number) = (first >> 5, first & 0x1f);
        let more = match number {
            0..24 => return Ok((sort, number.into())),
            24..28 => 1_usize << (number & 3),
            _ => return Err(Form::Other),
        };
        let from = self.at;
        self.skip(more)?;
        let bytes = self.bytes.get(from..self.at).ok_or(Form::Beginning)?;
        let number = bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        Ok((sort, usize::try_from(number).unwrap_or(usize::MAX)))
    }

    fn skip(&mut self, count: usize) -> Result<(), Form> {
        self.at = self.at.saturating_add(count);
        if self.at > MAX_PORT_BYTES { Err(Form::Other) } else { Ok(()) }
    }
}
