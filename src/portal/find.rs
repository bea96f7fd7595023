//! Finds a Portal's card, or a Portal ID, in a text that went through other software (§18.3).

use core::ops::RangeInclusive;

use thiserror::Error;

use super::card::{CardError, PortalCard};
use super::id::{PORTAL_ID_TEXT, PortalId, PortalIdError, is_forgiven};
use crate::error::FindError;
use crate::port::find::Finder;
use crate::port::find::form::{self, Form};
use crate::port::find::sought::{Sought, Unfit};
use crate::port::{Port, ndef};

impl Sought for PortalCard {
    const SCHEME: &'static str = "PORTAL";

    fn form(bytes: &[u8]) -> Form {
        form::card(bytes)
    }

    fn from_base32(base32: &[u8]) -> Result<Self, Unfit> {
        Self::from_base32(base32).map_err(|error| match error {
            CardError::Damaged => Unfit::Damaged,
            _ => Unfit::Refused,
        })
    }
}

impl PortalCard {
    /// Finds the card in a text that went through other software, as [`Port::find`](crate::Port::find) finds a Port: what a user pastes, a
    /// scanner types, or a share sheet hands over. It finds a [`PortalId`] that stands there by itself, too, as a card without an address:
    /// in one piece in any text, or in groups if nothing else is there. A card is found only if its check is right. Of a text of `n` bytes it takes a time that grows with
    /// `n`.
    ///
    /// # Errors
    /// [`FindCardError`]: its `Display` is the sentence for the user.
    pub fn find(text: &str) -> Result<Self, FindCardError> {
        // The strict reading first: what one of the two takes, both take alike.
        if let Ok(card) = Self::parse(text) {
            return Ok(card);
        }
        let (mut finder, mut bare) = (Finder::<Self>::new(), Bare::default());
        finder.look(text);
        bare.look(text);
        match (finder.verdict(), bare.id) {
            (Err(FindError::MoreThanOne), _) => Err(FindCardError::MoreThanOne),
            _ if bare.are_two => Err(FindCardError::MoreThanOne),
            (Ok(card), Some(id)) if card.id() != id => Err(FindCardError::MoreThanOne),
            (Ok(card), _) => Ok(card),
            (Err(_), Some(id)) => Ok(Self::new(id, None)),
            (Err(error), None) => match (FindCardError::of(error, |finder| finder.look(text)), bare.error) {
                (FindCardError::NoCard, Some(error)) => Err(FindCardError::BadId(error)),
                (error, _) => Err(error),
            },
        }
    }

    /// Finds the card in an NDEF message, as [`Port::find_in_ndef`](crate::Port::find_in_ndef) finds a Port.
    ///
    /// # Errors
    /// Those of [`find`](Self::find). A message that is malformed or chunked is [`FindCardError::Damaged`].
    pub fn find_in_ndef(message: &[u8]) -> Result<Self, FindCardError> {
        let mut finder = Finder::new();
        ndef::read(message, &mut finder).ok_or(FindCardError::Damaged)?;
        finder.verdict().map_err(|error| FindCardError::of(error, |finder| _ = ndef::read(message, finder)))
    }
}

/// IDs that stand in a text by themselves.
#[derive(Default)]
struct Bare {
    id: Option<PortalId>,
    are_two: bool,
    /// Why something that looks like an ID is none.
    error: Option<PortalIdError>,
}

impl Bare {
    fn look(&mut self, text: &str) {
        // Alone, with something missing or added.
        self.take(text, 45..=60);
        for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() == PORTAL_ID_TEXT) {
            self.take(word, PORTAL_ID_TEXT..=PORTAL_ID_TEXT);
        }
    }

    /// It is an ID, or looks like one if it has so many letters and digits.
    fn take(&mut self, text: &str, length: RangeInclusive<usize>) {
        match text.parse() {
            Ok(id) => self.are_two |= self.id.replace(id).is_some_and(|other| other != id),
            Err(error) if looks_like_an_id(text, length) => self.error = Some(error),
            Err(_) => {}
        }
    }
}

/// So many letters and digits, and nothing else. Words of a language have no digit among them, and of 70,000 IDs one has none.
fn looks_like_an_id(text: &str, length: RangeInclusive<usize>) -> bool {
    let seen = || text.chars().filter(|c| !is_forgiven(*c)).take(length.end().saturating_add(1));
    length.contains(&seen().count()) && seen().all(|c| c.is_ascii_alphanumeric()) && seen().any(|c| c.is_ascii_digit())
}

/// Why no Portal's card was found in a text (§18.3). Its `Display` is a sentence for the user, in English: show it, or one of your own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[non_exhaustive]
pub enum FindCardError {
    /// Nothing in the text looks like a Portal's card, a link to one, or a Portal ID.
    #[error("There is no card of a Portal in this text, and no Portal ID. Ask for one, as a QR code or as a link.")]
    NoCard,
    /// It looks like a Portal ID, and is none.
    #[error(transparent)]
    BadId(PortalIdError),
    /// A card begins here, or a link, and the rest is missing: an app shortened it, dropped what stands behind its `#`, or the user did
    /// not mark all of it.
    #[error("This card of a Portal lost its end on the way. Copy all of it, or ask for it again.")]
    CutOff,
    /// There is only the link of another service, which stands in the place of a link. Do not open it for the user: it tells that service.
    #[error("Another service replaced the link by its own. Ask for the Portal in another way, best as a QR code.")]
    Rewritten,
    /// There is a whole card whose check is wrong, or long Base32 that is none; or its maker is broken.
    #[error("This card of a Portal was changed on the way. Ask for it again.")]
    Damaged,
    /// There are two cards or IDs that differ. Let the user choose.
    #[error("There is more than one Portal in this text. Copy only the one that you want to enter.")]
    MoreThanOne,
    /// It is a card of another version.
    #[error("This card of a Portal needs a newer app. Update the app, and try again.")]
    WrongVersion,
    /// There is no card that is whole, but a Port.
    #[error("This is a Port, not the card of a Portal. Use it where you connect with a person.")]
    Port,
}

impl FindCardError {
    /// In a text without a card; `look` looks for a Port there.
    fn of(error: FindError, look: impl FnOnce(&mut Finder<Port>)) -> Self {
        let mut finder = Finder::new();
        look(&mut finder);
        match (finder.verdict(), error) {
            (_, FindError::MoreThanOne) => Self::MoreThanOne,
            (Ok(_) | Err(FindError::MoreThanOne), _) => Self::Port,
            (_, FindError::CutOff) => Self::CutOff,
            (_, FindError::Rewritten) => Self::Rewritten,
            (_, FindError::Damaged) => Self::Damaged,
            (_, FindError::WrongVersion) => Self::WrongVersion,
            (_, FindError::NoPort | FindError::PortalCard) => Self::NoCard,
        }
    }
}
