//! What Alice shares (§17.2): a [`Bundle`] as JSON.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::BundleError;
use super::json::{self, Object, Text, present};
use super::name::Name;
use super::text::SecretText;
use crate::id::LineLink;
use crate::port::ticket::{self, Ticket};
use crate::port::{Port, PortKind, PublicKey, Terms};
use crate::secret::{Rad, Secret};
use crate::time::UnixSeconds;

pub(crate) const VERSION: &str = "1.0.0";
pub(crate) const ORG: &str = "numberless.tech";

/// 9999-12-31T23:59:59Z: no later one can be written.
pub(super) const LAST: UnixSeconds = UnixSeconds(253_402_300_799);

/// Whoever has it can form a line with its maker: once ([`PortKind::Port`], target 0), as one of many ([`PortKind::Superport`], target 2),
/// or as one whom a contact introduces ([`PortKind::ContactPort`], target 4, with a ticket).
///
/// Treat it as the secret that it is; `Debug` shows neither id nor RAD nor ticket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    kind: PortKind,
    port_id: LineLink,
    public_key: PublicKey,
    rad: Rad,
    name: Option<Name>,
    expires: Option<UnixSeconds>,
    /// Some in a contact port, and in nothing else.
    ticket: Option<Secret<16>>,
}

impl Bundle {
    /// A Port, for one use. RecordKey and RAD are drawn for it alone.
    pub const fn port(port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self::new(PortKind::Port, port_id, public_key, rad)
    }

    /// A Superport, for many.
    pub const fn superport(port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self::new(PortKind::Superport, port_id, public_key, rad)
    }

    /// As Alice's machine has it.
    pub(crate) fn of(port: &Port, name: Option<Name>) -> Self {
        let Port { kind, line_link: port_id, public_key, ref rad, ref ticket, .. } = *port;
        let ticket = ticket.as_ref().map(|ticket| ticket.secret.clone());
        let bundle = Self { name, ticket, ..Self::new(kind, port_id, public_key, rad.clone()) };
        match port.expires() {
            Some(expires) => bundle.expiring(expires),
            None => bundle,
        }
    }

    /// As Bob's machine takes it. The introducer's name is not the app's to tell.
    pub(crate) fn to_port(&self) -> Port {
        let Self { kind, port_id: line_link, public_key, ref rad, name: _, expires, ref ticket } = *self;
        let ticket = ticket.clone().map(|secret| Ticket { secret, name: ticket::IntroducerName::NONE, expires: None });
        Port { kind, line_link, public_key, rad: rad.clone(), terms: Terms { expires, relay: None }, ticket }
    }

    const fn new(kind: PortKind, port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self { kind, port_id, public_key, rad, name: None, expires: None, ticket: None }
    }

    /// With the name that Bob is to see.
    #[must_use]
    pub fn named(self, name: Name) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Dead from this second on, by the clock of who reads it. The app writes no such member any more, and obeys it.
    /// Later than the end of 9999 it can't be said: that is then its expiry.
    #[must_use]
    pub fn expiring(self, expires: UnixSeconds) -> Self {
        Self { expires: Some(expires.min(LAST)), ..self }
    }

    /// How it may be used.
    pub const fn kind(&self) -> PortKind {
        self.kind
    }

    /// The server's token for the line: `portId`.
    pub const fn port_id(&self) -> LineLink {
        self.port_id
    }

    /// Alice's public key of this bundle.
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The random associated data.
    pub const fn rad(&self) -> &Rad {
        &self.rad
    }

    /// A Port's and a Superport's maker; in a contact port, what the introducer calls her.
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// From this second on it is dead: then don't use it.
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.expires
    }

    /// The ticket of a contact port.
    pub const fn ticket(&self) -> Option<&Secret<16>> {
        self.ticket.as_ref()
    }

    /// Reads the JSON of a bundle.
    ///
    /// # Errors
    /// Any [`BundleError`]: what to tell the user stands with each.
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        read(json)?.shown().ok_or(BundleError::Malformed)
    }

    /// Its JSON, byte for byte as the app writes it.
    pub fn to_json(&self) -> SecretText {
        let mut object = Object::default();
        self.members(|key, member| {
            match member {
                Member::Text(text) => object.string(key, text),
                Member::Number(number) => object.value(key, number),
                Member::Hex(bytes) => object.hex(key, bytes),
            };
        });
        object.end()
    }

    /// Nobody gets in by a contact port alone: it is granted along a line, and shown with a ticket.
    pub(crate) fn shown(self) -> Option<Self> {
        (self.ticket.is_some() == (self.kind == PortKind::ContactPort)).then_some(self)
    }

    /// What it says, in the app's order, for JSON and links alike.
    pub(crate) fn members(&self, mut write: impl FnMut(&str, Member<'_>)) {
        write("portId", Member::Hex(self.port_id.as_bytes()));
        write("version", Member::Text(VERSION));
        write("org", Member::Text(ORG));
        write("target", Member::Number(target(self.kind)));
        if let Some(name) = &self.name {
            write("name", Member::Text(name.as_str()));
        }
        if let Some(expires) = self.expires.and_then(date) {
            write("expiryTimestamp", Member::Text(&expires));
        }
        write("rad", Member::Hex(self.rad.expose()));
        write("keyHash", Member::Hex(&key_hash(self.public_key.as_bytes())));
        write("pubkey", Member::Hex(self.public_key.as_bytes()));
        if let Some(ticket) = &self.ticket {
            write("ticket", Member::Hex(ticket.expose()));
        }
    }
}

pub(crate) enum Member<'a> {
    Text(&'a str),
    Number(u8),
    Hex(&'a [u8]),
}

const fn target(kind: PortKind) -> u8 {
    match kind {
        PortKind::Port => 0,
        PortKind::Superport => 2,
        PortKind::ContactPort => 4,
    }
}

/// SHA-256 of the key's 64 hex characters, not of its bytes.
fn key_hash(public_key: &[u8; 32]) -> [u8; 32] {
    let mut text = [0; 64];
    HEXLOWER.encode_mut(public_key, &mut text);
    Sha256::digest(text).into()
}

/// A contact port as its owner grants it to one contact, without a ticket: the contact makes a [`Bundle`] of it for whomever he
/// introduces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant(Bundle);

impl Grant {
    /// A contact port.
    pub const fn new(port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self(Bundle::new(PortKind::ContactPort, port_id, public_key, rad))
    }

    pub(crate) fn of(port: &Port, name: Option<Name>) -> Self {
        Self(Bundle::of(port, name))
    }

    /// With the owner's own name.
    #[must_use]
    pub fn named(self, name: Name) -> Self {
        Self(self.0.named(name))
    }

    /// The server's token: `portId`.
    pub const fn port_id(&self) -> LineLink {
        self.0.port_id
    }

    /// The owner's public key of this contact port.
    pub const fn public_key(&self) -> PublicKey {
        self.0.public_key
    }

    /// The random associated data.
    pub const fn rad(&self) -> &Rad {
        &self.0.rad
    }

    /// What the owner calls herself.
    pub const fn name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }

    /// From this second on it is dead.
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.0.expires
    }

    /// For one who is introduced, with the ticket that the owner was told of, and what the introducer calls her.
    pub fn share(&self, ticket: Secret<16>, name: Option<Name>) -> Bundle {
        Bundle { ticket: Some(ticket), name, ..self.0.clone() }
    }

    /// Reads the JSON of a grant.
    ///
    /// # Errors
    /// Those of [`Bundle::from_json`]; a bundle that has a ticket, or is no contact port, is [`BundleError::Malformed`].
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        let bundle = read(json)?;
        let is_grant = bundle.kind == PortKind::ContactPort && bundle.ticket.is_none();
        if is_grant { Ok(Self(bundle)) } else { Err(BundleError::Malformed) }
    }

    /// Its JSON, byte for byte as the app writes it.
    pub fn to_json(&self) -> SecretText {
        self.0.to_json()
    }
}

fn read(json: &str) -> Result<Bundle, BundleError> {
    let kind = json::read::<Head<'_>>(json).ok_or(BundleError::Malformed)?.kind()?;
    json::read::<Body<'_>>(json).ok_or(BundleError::Malformed)?.bundle(kind)
}

/// Which bundle it is. It is looked at first, so that who is to update is not told that the rest is damaged (§17.2).
#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
pub(crate) struct Head<'a> {
    #[serde(default, deserialize_with = "if_text")]
    version: Option<Text<'a>>,
    #[serde(default, deserialize_with = "if_text")]
    org: Option<Text<'a>>,
    #[serde(default, deserialize_with = "as_it_stands")]
    target: Option<Text<'a>>,
}

/// What is of another type in a later version is no damage.
fn if_text<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<Text<'a>>, D::Error> {
    <&RawValue>::deserialize(d).map(|value| serde_json::from_str(value.get()).ok())
}

/// A target is what it is in digits: `2.0` is none.
fn as_it_stands<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<Text<'a>>, D::Error> {
    <&RawValue>::deserialize(d).map(|value| Some(Text(Cow::Borrowed(value.get()))))
}

impl<'a> Head<'a> {
    /// Where the value of this member belongs.
    pub(crate) fn place(&mut self, key: &str) -> Option<&mut Option<Text<'a>>> {
        Some(match key {
            "version" => &mut self.version,
            "org" => &mut self.org,
            "target" => &mut self.target,
            _ => return None,
        })
    }

    pub(crate) const fn has_version(&self) -> bool {
        self.version.is_some()
    }

    pub(crate) fn kind(&self) -> Result<PortKind, BundleError> {
        if self.version.as_deref().ok_or(BundleError::Malformed)? != VERSION {
            return Err(BundleError::UnsupportedVersion);
        }
        if self.org.as_deref() != Some(ORG) {
            return Err(BundleError::Malformed);
        }
        match self.target.as_deref().unwrap_or_default() {
            "0" => Ok(PortKind::Port),
            "2" => Ok(PortKind::Superport),
            "4" => Ok(PortKind::ContactPort),
            "1" | "3" => Err(BundleError::Group),
            other
                if other.starts_with(|c: char| ('1'..='9').contains(&c))
                    && other.bytes().all(|b| b.is_ascii_digit()) =>
            {
                Err(BundleError::UnsupportedTarget)
            }
            _ => Err(BundleError::Malformed),
        }
    }
}

/// The rest, before anything of it is believed. Unknown keys are ignored; serde refuses known ones that come twice.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
pub(crate) struct Body<'a> {
    #[serde(default, deserialize_with = "present")]
    port_id: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    name: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    rad: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    key_hash: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    pubkey: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    expiry_timestamp: Option<Text<'a>>,
    #[serde(default, deserialize_with = "present")]
    ticket: Option<Text<'a>>,
}

impl<'a> Body<'a> {
    /// Where the value of this member belongs.
    pub(crate) fn place(&mut self, key: &str) -> Option<&mut Option<Text<'a>>> {
        Some(match key {
            "portId" => &mut self.port_id,
            "name" => &mut self.name,
            "rad" => &mut self.rad,
            "keyHash" => &mut self.key_hash,
            "pubkey" => &mut self.pubkey,
            "expiryTimestamp" => &mut self.expiry_timestamp,
            "ticket" => &mut self.ticket,
            _ => return None,
        })
    }

    /// Whether nothing of a bundle is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.port_id.is_none() && self.pubkey.is_none() && self.rad.is_none()
    }

    pub(crate) fn bundle(&self, kind: PortKind) -> Result<Bundle, BundleError> {
        use BundleError::Malformed;
        let port_id = self.port_id.as_deref().and_then(json::hex::<16>).ok_or(Malformed)?;
        let rad = self.rad.as_deref().and_then(json::hex).ok_or(Malformed)?;
        let hash = self.key_hash.as_deref().and_then(json::hex::<32>).ok_or(Malformed)?;
        let public_key = self.pubkey.as_deref().and_then(json::hex::<32>).ok_or(Malformed)?;
        let ticket = self.ticket.as_deref().map(|ticket| json::hex(ticket).ok_or(Malformed)).transpose()?;
        let expires = self.expiry_timestamp.as_deref().map(|text| seconds(text).ok_or(Malformed)).transpose()?;
        let name = self.name.as_deref().map(Name::new).transpose()?;
        if *hash.expose() != key_hash(public_key.expose()) {
            return Err(BundleError::WrongKeyHash);
        }
        let public_key = PublicKey::from_bytes(*public_key.expose()).map_err(|_| BundleError::WeakPublicKey)?;
        Ok(Bundle { kind, port_id: (*port_id.expose()).into(), public_key, rad, name, expires, ticket })
    }
}

/// An ISO date and time of UTC, `2026-11-22T16:13:22.5Z`. What was before 1970 was long ago: it is 0.
pub(crate) fn seconds(text: &str) -> Option<UnixSeconds> {
    let is_utc = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    // RFC 3339 has a sixtieth second, the app has not.
    let leaps = text.get(17..19) == Some("60");
    let date = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| is_utc && !leaps)?;
    Some(UnixSeconds(date.unix_timestamp().try_into().unwrap_or(0)))
}

/// The same, written. `None` after the year 9999.
pub(crate) fn date(seconds: UnixSeconds) -> Option<String> {
    let date = OffsetDateTime::from_unix_timestamp(seconds.0.try_into().ok()?).ok()?;
    let ((year, month, day), (hour, minute, second)) = (date.to_calendar_date(), date.to_hms());
    let month = u8::from(month);
    (year <= 9999).then(|| format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}
