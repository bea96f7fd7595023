//! The Base32 behind a marker (§2.8).

use zeroize::Zeroize;

use super::cursor::{gap, skip_invisible, unit};
use super::form::Form;
use super::sought::{Sought, Unfit};
use crate::cbor::Bytes;
use crate::checked::{CHECK, digits_of, is_in_base32, is_of_another_version};
use crate::port::MAX_PORT_BYTES;

/// The Base32 of the longest Port and its check: nothing else that is sought is longer.
const MAX_DIGITS: usize = digits_of(MAX_PORT_BYTES);

/// So much Base32 is no word.
pub(super) const LONG: usize = 32;

/// What stands behind a marker.
pub(super) enum Found<T> {
    Whole(T),
    /// What is sought, and was changed.
    Damaged,
    /// So many characters of it, and not all.
    CutOff(usize),
    /// So many characters of one of another version.
    OtherVersion(usize),
    /// No letter and no digit.
    Nothing,
    /// Something else.
    Other,
}

/// Reads the Base32 from here, over what others put inside it. Says where it goes on.
pub(super) fn read<T: Sought>(text: &str, from: usize) -> (Found<T>, usize) {
    let (mut digits, mut at) = (Digits::new(T::form), from);
    // What the first unbroken run is by itself.
    let mut first = None;
    let mut only_wraps = true;
    while !digits.are_whole() {
        at = skip_invisible(text, at);
        match digit(text, at) {
            Some((digit, end)) if digits.count() < MAX_DIGITS => {
                digits.push(digit);
                at = end;
            }
            _ => {
                if first.is_none() {
                    first = Some((digits.judge(text, from, at), at, digits.count()));
                }
                match gap(text, at).filter(|gap| digit(text, gap.end).is_some()) {
                    Some(gap) if digits.may_go_on() => {
                        only_wraps &= gap.is_wrap;
                        at = gap.end;
                    }
                    _ => break,
                }
            }
        }
    }
    let whole = digits.are_whole().then(|| T::from_base32(digits.text.as_slice()));
    let followed =
        text.as_bytes().get(at).is_some_and(u8::is_ascii_alphanumeric) && !super::marker::is_start(text, at, T::SCHEME);
    match (whole, first) {
        (Some(Ok(whole)), _) if !followed => (Found::Whole(whole), at),
        (Some(Err(Unfit::OtherKind)), _) if !followed => (Found::OtherVersion(digits.count()), at),
        // One line, or two that are as long as a Port; or a right check, and more behind it, or a maker that is broken.
        (Some(result), first)
            if first.is_none() || only_wraps && !followed || !matches!(result, Err(Unfit::Damaged)) =>
        {
            (Found::Damaged, at)
        }
        // Lines that break within the form of a Port.
        (None, Some((Found::CutOff(_), end, count)))
            if only_wraps && digits.form == Form::Other && digits.count().saturating_sub(count) >= LONG =>
        {
            (Found::Damaged, end)
        }
        (_, Some((found, end, _))) => (found, end),
        (_, None) => (Found::Other, at),
    }
}

/// The Base32 character at this place, in upper case, and where the text goes on.
fn digit(text: &str, at: usize) -> Option<(u8, usize)> {
    let unit = unit(text, at)?;
    let digit = u8::try_from(unit.what).ok()?.to_ascii_uppercase();
    is_in_base32(digit).then_some((digit, unit.end))
}

/// Base32 as far as it was read. Zeroized on drop.
struct Digits {
    /// In upper case.
    text: Bytes<MAX_DIGITS>,
    /// The whole bytes, and the bits that are left over.
    bytes: Bytes<{ MAX_PORT_BYTES + CHECK + 1 }>,
    bits: u16,
    bit_count: u32,
    form: Form,
    measure: fn(&[u8]) -> Form,
}

impl Drop for Digits {
    fn drop(&mut self) {
        self.text.zeroize();
        self.bytes.zeroize();
        self.bits.zeroize();
    }
}

impl Digits {
    const fn new(measure: fn(&[u8]) -> Form) -> Self {
        Self { text: Bytes::EMPTY, bytes: Bytes::EMPTY, bits: 0, bit_count: 0, form: Form::Beginning, measure }
    }

    fn count(&self) -> usize {
        self.text.as_slice().len()
    }

    fn push(&mut self, digit: u8) {
        let value = if digit.is_ascii_uppercase() { digit.wrapping_sub(b'A') } else { digit.wrapping_sub(b'2' - 26) };
        let _ = self.text.append(&[digit]);
        self.bits = self.bits << 5 | u16::from(value);
        self.bit_count = self.bit_count.saturating_add(5);
        if let Some(left) = self.bit_count.checked_sub(8) {
            let [_, byte] = (self.bits >> left).to_be_bytes();
            let _ = self.bytes.append(&[byte]);
            self.bit_count = left;
            self.bits &= !(u16::MAX << left);
            if self.form == Form::Beginning {
                self.form = (self.measure)(self.bytes.as_slice());
            }
        }
    }

    fn are_whole(&self) -> bool {
        matches!(self.form, Form::Whole(bytes) if self.count() >= digits_of(bytes))
    }

    /// More of it may stand on the next line.
    fn may_go_on(&self) -> bool {
        self.count() > 0 && self.form != Form::Other && !is_of_another_version(self.text.as_slice())
    }

    /// Whether what is sought begins with this, to the last bit.
    fn are_a_beginning(&self) -> bool {
        let mut longer = self.bytes.clone();
        let whole = longer.as_slice().len();
        let left = 8_u32.saturating_sub(self.bit_count);
        let fits = self.form != Form::Other
            && (0..1_u16 << left).any(|rest| {
                let [_, byte] = (self.bits << left | rest).to_be_bytes();
                longer.fill(|bytes| bytes.get_mut(whole).map(|last| *last = byte).map(|()| whole.saturating_add(1)));
                (self.measure)(longer.as_slice()) != Form::Other
            });
        longer.zeroize();
        fits
    }

    /// What an unbroken run is that ends too early.
    fn judge<T>(&self, text: &str, from: usize, at: usize) -> Found<T> {
        if is_of_another_version(self.text.as_slice()) {
            return Found::OtherVersion(self.count());
        }
        let is_beginning = self.are_a_beginning();
        let (length, longest) = word(text, from);
        // What is not in Base32: `0`, `1`, `8`, `9`, and letters of other alphabets.
        let mut behind = text.get(at..).unwrap_or_default().chars();
        let foreign = behind.next().filter(|c| c.is_alphanumeric());
        let goes_on = behind.next().is_some_and(|c| c.is_ascii_alphanumeric());
        let is_inside = foreign.is_some_and(|c| c.is_ascii() || goes_on);
        match (self.count(), is_beginning) {
            (1.., true) if is_inside && length >= LONG => Found::Damaged,
            (0, _) | (_, false) if longest >= LONG => Found::Damaged,
            _ if foreign.is_some_and(|c| c.is_ascii()) => Found::Other,
            (0, _) => Found::Nothing,
            (_, true) => Found::CutOff(self.count()),
            (_, false) => Found::Other,
        }
    }
}

/// How long the word from here is, and the longest run of Base32 in it.
fn word(text: &str, from: usize) -> (usize, usize) {
    let word = text.get(from..).unwrap_or_default().chars().take(MAX_DIGITS).take_while(|c| c.is_alphanumeric());
    let (length, longest, _) = word.fold((0_usize, 0, 0_usize), |(length, longest, run), c| {
        let run = if matches!(c, 'A'..='Z' | 'a'..='z' | '2'..='7') { run.saturating_add(1) } else { 0 };
        (length.saturating_add(1), run.max(longest), run)
    });
    (length, longest)
}
