//! Secrets on the heap, as text and as bytes. They are wiped on drop.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// A text that holds secrets: a bundle, a link, a message. It is wiped on drop, and so is each smaller buffer that it outgrew. `Debug`
/// shows nothing of it. Two texts of one length are compared in constant time.
#[derive(Clone, Default)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// The text itself. Keep it out of logs: it lets its reader do all that its holder can.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn push_str(&mut self, text: &str) {
        // A `String` that grows leaves a copy behind in memory that nobody wipes. So this one is copied by hand, and the old one wiped.
        if self.0.capacity().saturating_sub(self.0.len()) < text.len() {
            let capacity = self.0.capacity().saturating_mul(2).max(self.0.len().saturating_add(text.len())).max(512);
            let mut larger = Zeroizing::new(String::with_capacity(capacity));
            larger.push_str(&self.0);
            self.0 = larger;
        }
        self.0.push_str(text);
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().as_bytes().ct_eq(other.as_str().as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl fmt::Write for SecretText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_str(text);
        Ok(())
    }
}

impl fmt::Display for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Decrypted bytes. They are wiped on drop. `Debug` shows nothing of them.
#[derive(Clone)]
pub struct SecretBytes(Zeroizing<Vec<u8>>);

impl SecretBytes {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Shortens to this length, and wipes the rest.
    pub(crate) fn truncate(&mut self, length: usize) {
        if let Some(rest) = self.0.get_mut(length..) {
            rest.zeroize();
        }
        self.0.truncate(length);
    }

    /// The same bytes as a text. `None` if they are not UTF-8: then they are wiped.
    pub(crate) fn into_text(mut self) -> Option<SecretText> {
        match String::from_utf8(core::mem::take(&mut *self.0)) {
            Ok(text) => Some(text.into()),
            Err(error) => {
                error.into_bytes().zeroize();
                None
            }
        }
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
