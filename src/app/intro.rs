//! Bob's proof in the app (§17.4): `{pubkey, encryptedSecretContent}`.

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

/// The longest `IV ‖ ciphertext` that is decrypted: 512 bytes. The longest that this crate makes has 304.
pub const MAX_ENCRYPTED_INTRO: usize = 512;

/// A name of 30 code units, all escaped, and a ticket.
const MADE: usize = 304;

/// An intro message, as Bob sent it or as somebody says that he did. Nothing in it has been checked, not even that it is one: what is
/// damaged is an intro message that nobody accepts, so that every failure has one outcome.
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
pub struct Intro {
    #[n(0)]
    public_key: Bytes<32>,
    #[cbor(n(1), decode_with = "made")]
    encrypted: Bytes<MAX_ENCRYPTED_INTRO>,
}

/// In a record stands what this crate made itself: so it has the room.
fn made<'b, C>(d: &mut Decoder<'b>, ctx: &mut C) -> Result<Bytes<MAX_ENCRYPTED_INTRO>, decode::Error> {
    let made = Bytes::<MADE>::decode(d, ctx)?;
    Bytes::new(made.as_slice()).ok_or_else(|| decode::Error::message("intro"))
}

/// Who was let in.
#[derive(Clone, Debug)]
pub struct Introduced {
    /// What he calls himself. He may say what he likes, and whoever carried it could change it without the check failing.
    pub name: Option<Name>,
    /// The ticket that he came with, if it was by a contact port. Compare it with those that you were told of, and take each once.
    pub ticket: Option<Secret<16>>,
    /// The line to him.
    pub line: UnauthenticatedKey,
}

impl Intro {
    /// Bob shows that he holds this bundle, and what he calls himself. `private_key` and `iv` are drawn for this and nothing else: the
    /// same pair of them under two names tells what the two have in common.
    pub fn make(private_key: &Secret<32>, iv: [u8; 16], bundle: &Bundle, name: &Name) -> (Self, UnauthenticatedKey) {
        let (intro, secret) = prove(&PrivateKey::new(private_key.clone()), &iv, &bundle.to_port(), name);
        (intro, UnauthenticatedKey::new(secret))
    }

    /// Alice checks, by the private key and RAD of her bundle of this kind. The comparison takes constant time.
    ///
    /// # Errors
    /// [`IntroError`], whatever it was: key, length, padding, form, RAD, or a ticket that is missing or doesn't belong there.
    pub fn check(&self, private_key: &Secret<32>, kind: PortKind, rad: &Rad) -> Result<Introduced, IntroError> {
        let checked = check(&PrivateKey::new(private_key.clone()), kind, rad, self).ok_or(IntroError)?;
        let Checked { name, ticket, secret } = checked;
        Ok(Introduced { name, ticket, line: UnauthenticatedKey::new(secret) })
    }

    /// Reads one. What is none, or longer than [`MAX_ENCRYPTED_INTRO`], is one that no check accepts.
    pub fn from_json(json: &str) -> Self {
        Self::read(json).unwrap_or(Self { public_key: Bytes::EMPTY, encrypted: Bytes::EMPTY })
    }

    /// Its JSON, byte for byte as the app writes it.
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

pub(crate) fn prove(private_key: &PrivateKey, iv: &[u8; 16], port: &Port, name: &Name) -> (Intro, SharedSecret) {
    let secret = private_key.agree(port.public_key());
    let mut content = Object::default();
    content.string("name", name.as_str()).hex("rad", port.rad().expose());
    if let Some(ticket) = port.ticket() {
        content.hex("ticket", ticket.secret.expose());
    }
    let (mut public_key, mut encrypted) = (Bytes::EMPTY, Bytes::EMPTY);
    public_key.append(private_key.public_key().as_bytes());
    // Bound: 30 code units take 180 bytes at most, all escaped.
    encrypted.append(&cipher::encrypt(secret.raw(), iv, content.end().as_str().as_bytes()));
    (Intro { public_key, encrypted }, secret)
}

/// What a good intro message says.
pub(crate) struct Checked {
    pub(crate) secret: SharedSecret,
    pub(crate) ticket: Option<Secret<16>>,
    pub(crate) name: Option<Name>,
}

/// `None` is the one outcome of every failure.
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
