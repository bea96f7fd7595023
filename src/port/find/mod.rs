//! Finds a Port in a text that went through other software (§2.8).
//!
//! One pass over the text looks for markers. Behind each, `read` joins the Base32 over what others put inside. The check of the text
//! decides what is a Port. What is none is told by the form of its first bytes, and by the link that it stood in.
//!
//! A Portal's card is found in the same way (§18.3): what is sought is a parameter.

pub(crate) mod cursor;
pub(crate) mod form;
mod marker;
mod read;
pub(crate) mod sought;
mod wrapper;

use core::str;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

use super::Port;
use crate::cbor::Bytes;
use crate::checked::groups;
use crate::error::FindError;
use cursor::{gap, skip_invisible, unit, visible};
use marker::Link;
use read::Found;
#[cfg(feature = "portal")]
use sought::AnyCard;
use sought::Sought;

/// So few characters behind a marker are a word, if they are to be of another version.
const WORD: usize = 40;

/// As many characters are the same in all Ports of a kind. Fewer of them can stand in any text.
const HEAD: usize = 6;

impl Port {
    /// Finds the Port in a text that went through other software (§2.8): what a user pastes, a scanner types, or a share sheet hands
    /// over. Around the Port and inside it may stand what messengers, mail and browsers put there. A Port is found only if its check is
    /// right. Of a text of `n` bytes it takes a time that grows with `n`, and no heap.
    ///
    /// ```
    /// use port_protocol::{FindError, Port};
    ///
    /// # let link = "https://example.org/p#QUAQCUABAEAQCAIBAEAQCAIBAEAQCAIBLAQBHPSP5LVPEBGH7UZVR7E4ABZBRAOROQTYCKBCP3DHJ437P7UXW3KQA4DQOBYHA4DQOBYHA4DQOBYHA5DWS";
    /// let mail = format!("Scan or open: <{}\r\n> {}>. See you!", &link[..76], &link[76..]);
    /// assert_eq!(Port::find(&mail), Port::find(link));
    /// assert_eq!(Port::find(&link[..60]), Err(FindError::CutOff));
    /// # assert!(Port::find(link).is_ok());
    /// ```
    ///
    /// # Errors
    /// [`FindError`]: its `Display` is the sentence for the user.
    pub fn find(text: &str) -> Result<Self, FindError> {
        // The strict reading first: what one of the two takes, both take alike.
        if let Ok(port) = Self::parse(text) {
            return Ok(port);
        }
        let mut finder = Finder::new();
        finder.look(text);
        let found = finder.verdict();
        #[cfg(feature = "portal")]
        let found = found.map_err(|error| or_card(error, |finder| finder.look(text)));
        found
    }
}

/// The error of a text without a Port, if `look` finds a Portal's card there (§18.3).
#[cfg(feature = "portal")]
pub(super) fn or_card(error: FindError, look: impl FnOnce(&mut Finder<AnyCard>)) -> FindError {
    let mut finder = Finder::new();
    if error != FindError::MoreThanOne {
        look(&mut finder);
    }
    finder.verdict().map_or(error, |_| FindError::PortalCard)
}

/// What is wrong, from what says least to what says most.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    NoPort,
    /// A scheme or a base with nothing behind it.
    LinkAlone,
    Rewritten,
    CutOff,
    Damaged,
    WrongVersion,
}

/// What was found so far, in one text or several.
pub(crate) struct Finder<T> {
    found: Option<T>,
    are_two: bool,
    worst: Rank,
    /// Proofpoint's third version was seen, which writes `*` for `#`.
    is_starred: bool,
}

/// How sure it is that a Port was meant to follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marker {
    /// `PORT:`; and whether in upper case.
    Scheme(bool),
    /// The fragment of a link.
    Fragment(Link),
    /// A fragment by itself.
    Bare,
    /// What is a marker only if a Port follows.
    Loose,
}

impl<T: Sought> Finder<T> {
    pub(crate) const fn new() -> Self {
        Self { found: None, are_two: false, worst: Rank::NoPort, is_starred: false }
    }

    pub(crate) fn look(&mut self, text: &str) {
        self.scan(text, true);
    }

    pub(crate) fn verdict(self) -> Result<T, FindError> {
        match self.found {
            Some(_) if self.are_two => Err(FindError::MoreThanOne),
            Some(found) => Ok(found),
            None => Err(match self.worst {
                Rank::NoPort => FindError::NoPort,
                Rank::LinkAlone | Rank::CutOff => FindError::CutOff,
                Rank::Rewritten => FindError::Rewritten,
                Rank::Damaged => FindError::Damaged,
                Rank::WrongVersion => FindError::WrongVersion,
            }),
        }
    }

    fn scan(&mut self, text: &str, may_unwrap: bool) {
        let (mut at, mut link) = (0, None);
        while let Some(byte) = text.as_bytes().get(at).filter(|_| !self.are_two) {
            at = self.step(text, at, *byte, &mut link, may_unwrap).unwrap_or_else(|| behind(text, at));
        }
        self.close(&mut link);
    }

    /// Judges what begins here, and says where to go on. `None`: nothing does.
    fn step(&mut self, text: &str, at: usize, byte: u8, link: &mut Option<Link>, may_unwrap: bool) -> Option<usize> {
        let rest = text.get(at..)?;
        // However its first character is written.
        let unit = if matches!(byte, b'%' | b'&' | b'\\' | 0x80..) { unit(text, at) } else { None };
        let begins = unit.and_then(|unit| u8::try_from(unit.what).ok()).unwrap_or(byte);
        match begins {
            b'h' | b'H' | b'i' | b'I' => {
                if let Some((new, end)) = marker::base(text, at) {
                    // Inside a link it is the one that was wrapped.
                    if new != Link::Other || link.is_none() {
                        *link = Some(new);
                    }
                    let is_v3 = text.get(end..).is_some_and(|path| path.starts_with("/v3/__"));
                    self.is_starred |= new == Link::Wrapper && is_v3;
                    return Some(end);
                }
            }
            b'p' | b'P' => {
                if let Some(end) = marker::scheme(text, at, T::SCHEME) {
                    let before = text.get(..at).and_then(|before| before.chars().next_back());
                    let marker = match before {
                        Some(letter) if letter.is_alphabetic() => Marker::Loose,
                        _ => Marker::Scheme(rest.starts_with(T::SCHEME)),
                    };
                    return Some(self.judge(text, end, marker, link));
                }
            }
            _ => {}
        }
        match byte {
            b'a' if may_unwrap && rest.starts_with("aHR0c") => Some(self.unwrap(text, at, link)),
            b'/' if link.is_none() => {
                *link = Some(Link::Wrapper).filter(|_| is_short_link(text, at));
                None
            }
            b'*' if self.is_starred => {
                let marker = link.map_or(Marker::Loose, Marker::Fragment);
                Some(self.judge(text, at.saturating_add(1), marker, link))
            }
            b'-' => {
                let unit = marker::dashed(text, at).filter(|unit| unit.what == '#')?;
                Some(self.judge(text, unit.end, link.map_or(Marker::Loose, Marker::Fragment), link))
            }
            b'=' if rest.starts_with("=23") => Some(self.judge(text, at.saturating_add(3), Marker::Loose, link)),
            b' ' | b'\t' | b'\n' | b'\r' | b'<' | b'>' | b'"' => {
                self.close(link);
                None
            }
            b'#' => Some(self.judge(text, at.saturating_add(1), link.map_or(Marker::Bare, Marker::Fragment), link)),
            b'%' | b'&' | b'\\' | 0x80.. => {
                let unit = unit?;
                if unit.what == '#' {
                    return Some(self.judge(text, unit.end, link.map_or(Marker::Bare, Marker::Fragment), link));
                }
                if byte != b'%' && unit.what.is_whitespace() {
                    self.close(link);
                }
                Some(unit.end)
            }
            _ => None,
        }
    }

    /// Judges what stands behind a marker, and says where to go on.
    fn judge(&mut self, text: &str, end: usize, marker: Marker, link: &mut Option<Link>) -> usize {
        let lead = Lead::of(text, end, marker);
        let (found, behind) = read::read::<T>(text, lead.end);
        let is_sure =
            !lead.is_spaced && matches!(marker, Marker::Scheme(_) | Marker::Fragment(Link::Good | Link::Wrapper));
        let rank = match found {
            Found::Whole(found) => {
                self.are_two |= self.found.as_ref().is_some_and(|other| *other != found);
                self.found = Some(found);
                *link = None;
                return behind;
            }
            _ if marker == Marker::Loose => Rank::NoPort,
            Found::Damaged => Rank::Damaged,
            Found::OtherVersion(length) if length >= WORD || is_of_later_port(text, lead, marker, length) => {
                Rank::WrongVersion
            }
            Found::CutOff(length) if length >= HEAD || is_sure => Rank::CutOff,
            Found::Nothing if is_alone(text, lead.end, marker) => of_link_alone(marker),
            // Parameters in the place of the fragment.
            Found::Other | Found::CutOff(_) | Found::OtherVersion(_) if lead.has_query => of_link_alone(marker),
            _ if is_intent(text, end) => of_link_alone(marker),
            _ if marker == Marker::Fragment(Link::Wrapper) => Rank::Rewritten,
            _ => Rank::NoPort,
        };
        self.note(rank);
        if marker != Marker::Loose && (rank != Rank::NoPort || matches!(marker, Marker::Fragment(_))) {
            *link = None;
        }
        end
    }

    fn note(&mut self, rank: Rank) {
        self.worst = self.worst.max(rank);
    }

    /// The link ends without a fragment.
    fn close(&mut self, link: &mut Option<Link>) {
        if let Some(link) = link.take() {
            self.note(of_link_alone(Marker::Fragment(link)));
        }
    }

    /// Reads a link that is written in Base64, as some filters do.
    fn unwrap(&mut self, text: &str, at: usize, link: &mut Option<Link>) -> usize {
        let (inner, end) = from_base64(text, at);
        let decoded = inner.as_slice().utf8_chunks().next().map_or("", |chunk| chunk.valid());
        if decoded.contains("://") {
            *link = None;
            self.scan(decoded, false);
        }
        end
    }
}

/// What may stand between a marker and the Base32.
#[derive(Clone, Copy)]
struct Lead {
    end: usize,
    is_spaced: bool,
    has_query: bool,
}

impl Lead {
    /// A few signs that pages with a router of their own put behind `#`, and a gap.
    fn of(text: &str, from: usize, marker: Marker) -> Self {
        const MOST: usize = 4;
        let mut lead = Self { end: from, is_spaced: false, has_query: false };
        for _ in 0..MOST {
            match visible(text, lead.end) {
                Some(unit) if matches!(unit.what, '/' | '!' | '?') => {
                    lead.has_query |= unit.what == '?';
                    lead.end = unit.end;
                }
                _ => break,
            }
        }
        // A heading begins with `# `.
        if let Some(gap) = gap(text, lead.end).filter(|gap| gap.is_wrap || marker != Marker::Bare) {
            lead.is_spaced = skip_invisible(text, lead.end) < gap.end;
            lead.end = gap.end;
        }
        lead
    }
}

/// What it says that nothing stands behind a marker.
const fn of_link_alone(marker: Marker) -> Rank {
    match marker {
        Marker::Scheme(_) | Marker::Fragment(Link::Good) => Rank::LinkAlone,
        Marker::Fragment(Link::Wrapper) => Rank::Rewritten,
        _ => Rank::NoPort,
    }
}

/// Whether the text, or the word, ends behind a marker.
fn is_alone(text: &str, at: usize, marker: Marker) -> bool {
    const FEW: usize = 64;
    let mut behind = text.get(at..).unwrap_or_default().chars();
    match marker {
        Marker::Scheme(is_upper) => {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let is_word = is_upper && !before.is_some_and(|c| c == ' ' || c == '\t');
            is_word || behind.clone().nth(FEW).is_none() && !behind.any(char::is_alphanumeric)
        }
        _ => {
            let next = behind.find(|c| !matches!(c, '*' | '_' | '~' | '`' | '|') && !cursor::is_invisible(*c));
            !next.is_some_and(|c| c.is_alphanumeric() || matches!(c, '-' | '=' | '+' | '%' | '$' | '@' | '/'))
        }
    }
}

/// A Port of a later version that is short: in a QR text, and all in upper case.
fn is_of_later_port(text: &str, lead: Lead, marker: Marker, length: usize) -> bool {
    const SHORTEST: usize = 4;
    let word = text.get(lead.end..).unwrap_or_default();
    marker == Marker::Scheme(true)
        && !lead.is_spaced
        && length >= SHORTEST
        && word.starts_with(['Q', 'R'])
        && !word.bytes().take(length).any(|byte| byte.is_ascii_lowercase())
}

/// Android's own fragment in the place of the Port's.
fn is_intent(text: &str, at: usize) -> bool {
    text.get(at..).is_some_and(|rest| rest.starts_with("Intent;"))
}

/// Whether a short link without its `https://` ends its host here.
fn is_short_link(text: &str, slash: usize) -> bool {
    const LONGEST: usize = 32;
    let before = text.as_bytes().get(..slash).unwrap_or_default();
    let is_in_host = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    let length = before.iter().rev().take(LONGEST).take_while(is_in_host).count();
    let host = slash.checked_sub(length).and_then(|from| text.get(from..slash)).unwrap_or_default();
    let path = text.get(slash..).unwrap_or_default();
    let mut lower = Bytes::<LONGEST>::EMPTY;
    let _ = lower.append(host.as_bytes());
    lower.fill(|bytes| {
        bytes.make_ascii_lowercase();
        Some(host.len())
    });
    let host = str::from_utf8(lower.as_slice()).unwrap_or_default();
    host.contains('.')
        && path.as_bytes().get(1).is_some_and(u8::is_ascii_alphanumeric)
        && wrapper::is_wrapper(host, path)
}

/// As much as fits of the text whose Base64 begins here, in either alphabet, and where the Base64 ends.
fn from_base64(text: &str, mut at: usize) -> (Zeroizing<Bytes<1024>>, usize) {
    let (mut digits, mut decoded) = (Zeroizing::new(Bytes::<1366>::EMPTY), Zeroizing::new(Bytes::EMPTY));
    while let Some(unit) = unit(text, at) {
        let digit = match u8::try_from(unit.what) {
            Ok(b'+') => b'-',
            Ok(b'/') => b'_',
            Ok(digit) if digit.is_ascii_alphanumeric() || matches!(digit, b'-' | b'_') => digit,
            _ => break,
        };
        at = unit.end;
        if digits.append(&[digit]).is_none() {
            break;
        }
    }
    for (group, length) in groups::<4, 3>(&BASE64URL_NOPAD, digits.as_slice()) {
        let _ = decoded.append(group.get(..length).unwrap_or_default());
    }
    (decoded, at)
}

/// Where the next character stands.
fn behind(text: &str, at: usize) -> usize {
    let length = text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8);
    at.saturating_add(length)
}
