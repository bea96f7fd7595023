//! Intro message: Bob's proof in the app (§17.4), `{pubkey, encryptedSecretContent}`.

use minicbor::{Decode, Decoder, Encode, decode};
use serde::Deserialize;

use super::base64;
use super::bundle::Bundle;
use super::cipher;
use super::error::{BundleError, IntroError};
use super::json::{self, Hex, Object, Text, present};
use super::message::UnauthenticatedKey;
use super::name::Name;
use super::text::SecretText;
use crate::cbor::Bytes;
use crate::port::{Port, PortKind, PublicKey};
use crate::proof::{PrivateKey, SharedSecret};
use crate::secret::{Rad, Secret};

/// The most bytes of `IV ‖ ciphertext` in an intro message that is decrypted: 512 (§17.4). This crate makes at most 304.
pub const MAX_ENCRYPTED_INTRO: usize = 512;

/// The most bytes of `IV ‖ ciphertext` that this crate makes: those for a name of 30 code units, all escaped, and a ticket.
const MADE: usize = 304;

/// An intro message: Bob's proof that it holds a bundle (§17.4). Nothing in it is checked yet. A malformed one is a value that
/// [`check`](Intro::check) always rejects, so that every failure looks the same.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Intro {
    #[n(0)]
    public_key: Bytes<32>,
    #[cbor(n(1), decode_with = "made")]
    encrypted: Bytes<MAX_ENCRYPTED_INTRO>,
}

/// Decodes from a record. A record holds only an intro message that this crate made, so a longer one is refused.
fn made<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Bytes<MAX_ENCRYPTED_INTRO>, decode::Error> {
    let made = Bytes::<MADE>::decode(d, ctx)?;
    Bytes::new(made.as_slice()).ok_or_else(|| decode::Error::message("intro"))
}

/// The content of an intro message that was accepted, and the key of the new line.
#[derive(Clone, Debug)]
pub struct Introduced {
    /// The name that Bob gives itself. It is a claim, and not authenticated (§17.9).
    pub name: Option<Name>,
    /// Bob's ticket, 16 bytes, if the bundle is a contact port. Accept only a ticket that was announced to you, and each only once (§17.4).
    pub ticket: Option<Secret<16>>,
    /// The key of the line to Bob.
    pub line: UnauthenticatedKey,
}

impl Intro {
    /// Makes Bob's proof that it holds this bundle, under the name that Bob gives itself. It also returns the key of the new line. Draw
    /// `private_key` and `iv` for this intro message alone. Two intro messages made with the same pair reveal what their texts have in
    /// common.
    pub fn make(private_key: &Secret<32>, iv: [u8; 16], bundle: &Bundle, name: &Name) -> (Self, UnauthenticatedKey) {
        let (intro, secret) = prove(&PrivateKey::new(private_key.clone()), &iv, &bundle.to_port(), name);
        (intro, UnauthenticatedKey::new(secret))
    }

    /// Checks the proof against the kind, private key and RAD of Alice's bundle (§17.4). The RAD is compared in constant time. For a
    /// contact port the caller still has to check the [`ticket`](Introduced::ticket).
    ///
    /// # Errors
    /// [`IntroError`], for every cause: key, length, padding, form, name, RAD, or a ticket that is missing or does not belong there. Do
    /// not connect, and disconnect the line.
    pub fn check(&self, private_key: &Secret<32>, kind: PortKind, rad: &Rad) -> Result<Introduced, IntroError> {
        let checked = check(&PrivateKey::new(private_key.clone()), kind, rad, self).ok_or(IntroError)?;
        let Checked { name, ticket, secret } = checked;
        Ok(Introduced { name, ticket, line: UnauthenticatedKey::new(secret) })
    }

    /// Parses an intro message. Input that is malformed, or longer than [`MAX_ENCRYPTED_INTRO`], yields a value that
    /// [`check`](Intro::check) always rejects, so every failure looks the same (§17.4).
    pub fn from_json(json: &str) -> Self {
        Self::read(json).unwrap_or(Self { public_key: Bytes::EMPTY, encrypted: Bytes::EMPTY })
    }

    /// Writes the JSON of the intro message, byte for byte as the app does.
    pub fn to_json(&self) -> SecretText {
        Object::default()
            .hex("pubkey", self.public_key.as_slice())
            .string("encryptedSecretContent", &base64::write(self.encrypted.as_slice()))
            .end()
    }

    fn read(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
        struct Fields<'a> {
            pubkey: Hex<32>,
            encrypted_secret_content: Text<'a>,
        }

        let fields = json::read::<Fields<'_>>(json)?;
        Some(Self {
            public_key: Bytes::new(fields.pubkey.0.expose())?,
            encrypted: Bytes::new(&base64::read(&fields.encrypted_secret_content, MAX_ENCRYPTED_INTRO)?)?,
        })
    }
}

impl core::fmt::Debug for Intro {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { public_key: _, encrypted: _ } = self;
        f.write_str("Intro(..)")
    }
}

/// Makes Bob's proof for this Port (§17.4).
pub(crate) fn prove(private_key: &PrivateKey, iv: &[u8; 16], port: &Port, name: &Name) -> (Intro, SharedSecret) {
    let secret = private_key.agree(port.public_key());
    let mut content = Object::default();
    content.string("name", name.as_str()).hex("rad", port.rad().expose());
    if let Some(ticket) = port.ticket() {
        content.hex("ticket", ticket.secret.expose());
    }
    let (mut public_key, mut encrypted) = (Bytes::EMPTY, Bytes::EMPTY);
    public_key.append(private_key.public_key().as_bytes());
    // This fits: a name of 30 code units takes at most 180 bytes, all escaped.
    encrypted.append(&cipher::encrypt(secret.raw(), iv, content.end().as_str().as_bytes()));
    (Intro { public_key, encrypted }, secret)
}

/// The content of an intro message that was accepted, and the raw secret.
pub(crate) struct Checked {
    pub(crate) secret: SharedSecret,
    pub(crate) ticket: Option<Secret<16>>,
    pub(crate) name: Option<Name>,
}

/// Makes the checks of §17.4, except that a ticket was announced. `None` is the one outcome of every failure.
pub(crate) fn check(private_key: &PrivateKey, kind: PortKind, rad: &Rad, intro: &Intro) -> Option<Checked> {
    #[derive(Deserialize)]
    #[serde(bound(deserialize = "'de: 'a"))]
    struct Fields<'a> {
        #[serde(default, deserialize_with = "present")]
        name: Option<Text<'a>>,
        rad: Hex<16>,
        #[serde(default, deserialize_with = "present")]
        ticket: Option<Hex<16>>,
    }

    let public_key = PublicKey::from_bytes(intro.public_key.as_slice().try_into().ok()?).ok()?;
    let secret = private_key.agree(public_key);
    let content = cipher::decrypt(secret.raw(), intro.encrypted.as_slice())?.into_text()?;
    let Fields { name, rad: shown, ticket } = json::read(content.as_str())?;
    let is_good = shown.0 == *rad && ticket.is_some() == (kind == PortKind::ContactPort);
    let name = name.as_deref().map(Name::new).transpose().map_err(|_: BundleError| ()).ok()?;
    is_good.then_some(Checked { name, ticket: ticket.map(|ticket| ticket.0), secret })
}
