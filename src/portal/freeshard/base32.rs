//! The base32 of IDs (§19.2): its own alphabet, most significant bit first, no padding characters.

use alloc::string::String;
use alloc::vec::Vec;

use data_encoding::BASE32_NOPAD;
use thiserror::Error;

/// The 32 characters, in the order of their values. i, m, o and u are missing.
pub const ALPHABET: &str = "abcdefghjklnpqrstvwxyz0123456789";

/// RFC 4648's, in the same order: the library knows that one.
const STANDARD: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// A text is not base32 of this kind (§19.2). Ask for it again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum Base32Error {
    /// A character is not of the alphabet. Upper case is not, either.
    #[error("a character that is not of the alphabet")]
    UnknownCharacter,
    /// The bits behind the last whole byte are not zero: the text is cut or mistyped.
    #[error("bits are left over that are not zero")]
    LeftoverBits,
}

/// Encodes bytes. The last character is filled with zero bits.
///
/// ```
/// use port_protocol::portal::freeshard::base32;
/// assert_eq!(base32::encode(&[0xde, 0xad, 0xbe, 0xef]), "5405752");
/// ```
pub fn encode(bytes: &[u8]) -> String {
    translate(&BASE32_NOPAD.encode(bytes), STANDARD, ALPHABET).unwrap_or_default()
}

/// Decodes a text.
///
/// # Errors
/// [`Base32Error`] says what is wrong with the text.
pub fn decode(text: &str) -> Result<Vec<u8>, Base32Error> {
    let standard = translate(text, ALPHABET, STANDARD).ok_or(Base32Error::UnknownCharacter)?;
    let whole = match standard.len() % 8 {
        // No byte ends in such a last character. The real system takes it, if it stands for nothing.
        1 | 3 | 6 => standard.strip_suffix('A').ok_or(Base32Error::LeftoverBits)?,
        _ => &standard,
    };
    BASE32_NOPAD.decode(whole.as_bytes()).map_err(|_| Base32Error::LeftoverBits)
}

fn translate(text: &str, from: &str, to: &str) -> Option<String> {
    text.chars().map(|char| to.chars().nth(from.chars().position(|known| known == char)?)).collect()
}
