//! Bundle: the Port of the app as JSON (§17.2).

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

/// A Port in the app's form (§17.2). A peer that has it can form a line with its maker.
///
/// - A [`PortKind::Port`] (target 0) is for one use.
/// - A [`PortKind::Superport`] (target 2) is for many uses.
/// - A [`PortKind::ContactPort`] (target 4) is for one peer that a contact introduces with a ticket. Without a ticket it is a [`Grant`].
///
/// It is a secret. `Debug` shows neither its id nor its RAD nor its ticket.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    kind: PortKind,
    port_id: LineLink,
    public_key: PublicKey,
    rad: Rad,
    name: Option<Name>,
    expires: Option<UnixSeconds>,
    /// A contact port has a ticket. Nothing else has one.
    ticket: Option<Secret<16>>,
}

impl Bundle {
    /// A plain Port, for one use. Draw its key pair and RAD for it alone.
    pub const fn port(port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self::new(PortKind::Port, port_id, public_key, rad)
    }

    /// A Superport, for many uses. Draw its key pair and RAD for it alone.
    pub const fn superport(port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self::new(PortKind::Superport, port_id, public_key, rad)
    }

    /// The bundle of a Port of Alice's machine, under this name.
    pub(crate) fn of(port: &Port, name: Option<Name>) -> Self {
        let Port { kind, line_link: port_id, public_key, ref rad, ref ticket, .. } = *port;
        let ticket = ticket.as_ref().map(|ticket| ticket.secret.clone());
        let bundle = Self { name, ticket, ..Self::new(kind, port_id, public_key, rad.clone()) };
        match port.expires() {
            Some(expires) => bundle.expiring(expires),
            None => bundle,
        }
    }

    /// The Port that Bob's machine takes. The name of the bundle is no part of it, and its ticket has no introducer's name (§17.10).
    pub(crate) fn to_port(&self) -> Port {
        let Self { kind, port_id: line_link, public_key, ref rad, name: _, expires, ref ticket } = *self;
        let ticket = ticket.clone().map(|secret| Ticket { secret, name: ticket::IntroducerName::NONE, expires: None });
        Port { kind, line_link, public_key, rad: rad.clone(), terms: Terms { expires, relay: None }, ticket }
    }

    const fn new(kind: PortKind, port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self { kind, port_id, public_key, rad, name: None, expires: None, ticket: None }
    }

    /// Sets the name that Bob's user will see.
    #[must_use]
    pub fn named(self, name: Name) -> Self {
        Self { name: Some(name), ..self }
    }

    /// Sets the expiry. From this second on the bundle is dead, by the clock of its reader. The app writes no expiry any more, but obeys it.
    #[must_use]
    pub fn expiring(self, expires: UnixSeconds) -> Self {
        Self { expires: Some(expires), ..self }
    }

    /// How the bundle may be used: once, by many, or with a ticket.
    pub const fn kind(&self) -> PortKind {
        self.kind
    }

    /// The server's id for the bundle, `portId`: 16 bytes.
    pub const fn port_id(&self) -> LineLink {
        self.port_id
    }

    /// The maker's public key, for this bundle alone.
    pub const fn public_key(&self) -> PublicKey {
        self.public_key
    }

    /// The random associated data (RAD). Bob proves that it knows it (§17.4).
    pub const fn rad(&self) -> &Rad {
        &self.rad
    }

    /// The name that the maker gives itself. In a contact port it is the introducer's name for the maker. It is a claim.
    pub const fn name(&self) -> Option<&Name> {
        self.name.as_ref()
    }

    /// The expiry. From this second on, do not use the bundle. `None`: it does not expire.
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.expires
    }

    /// The ticket, 16 bytes. `None` unless this is a contact port.
    pub const fn ticket(&self) -> Option<&Secret<16>> {
        self.ticket.as_ref()
    }

    /// Parses the JSON of a bundle.
    ///
    /// # Errors
    /// [`BundleError`]: each variant says what to tell the user. A [`Grant`] is [`BundleError::Malformed`] here.
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        read(json)?.shown().ok_or(BundleError::Malformed)
    }

    /// Writes the JSON of the bundle, byte for byte as the app does.
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

    /// §17.2: a bundle that is shown has a ticket if and only if it is a contact port. `None` for any other, a grant included.
    pub(crate) fn shown(self) -> Option<Self> {
        (self.ticket.is_some() == (self.kind == PortKind::ContactPort)).then_some(self)
    }

    /// Writes the members in the order of §17.2. JSON and links have the same order.
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

/// The value of one member. JSON and links write it differently.
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

/// `keyHash` (§17.2): SHA-256 of the key's 64 hex characters, not of its 32 bytes.
fn key_hash(public_key: &[u8; 32]) -> [u8; 32] {
    let mut text = [0; 64];
    HEXLOWER.encode_mut(public_key, &mut text);
    Sha256::digest(text).into()
}

/// A contact port without a ticket (§17.2). Its owner grants it to one contact, along their line and nowhere else. The contact makes a
/// [`Bundle`] of it for each peer that it introduces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Grant(Bundle);

impl Grant {
    /// A grant of this contact port. Draw its key pair and RAD for it alone.
    pub const fn new(port_id: LineLink, public_key: PublicKey, rad: Rad) -> Self {
        Self(Bundle::new(PortKind::ContactPort, port_id, public_key, rad))
    }

    /// The grant of a contact port of Alice's machine, under this name.
    pub(crate) fn of(port: &Port, name: Option<Name>) -> Self {
        Self(Bundle::of(port, name))
    }

    /// Sets the name that the owner gives itself.
    #[must_use]
    pub fn named(self, name: Name) -> Self {
        Self(self.0.named(name))
    }

    /// The server's id for the contact port, `portId`: 16 bytes.
    pub const fn port_id(&self) -> LineLink {
        self.0.port_id
    }

    /// The owner's public key, for this contact port alone.
    pub const fn public_key(&self) -> PublicKey {
        self.0.public_key
    }

    /// The random associated data (RAD).
    pub const fn rad(&self) -> &Rad {
        &self.0.rad
    }

    /// The name that the owner gives itself. It is a claim.
    pub const fn name(&self) -> Option<&Name> {
        self.0.name.as_ref()
    }

    /// The expiry. From this second on the grant is dead. `None`: it does not expire.
    pub const fn expires(&self) -> Option<UnixSeconds> {
        self.0.expires
    }

    /// Makes the bundle for one peer that the introducer introduces. Draw `ticket`, 16 bytes, for this peer alone, and announce it to the
    /// owner before you hand the bundle over ([`Request::ShareTicket`](super::Request::ShareTicket), §17.10). `name` is the introducer's
    /// name for the owner.
    pub fn share(&self, ticket: Secret<16>, name: Option<Name>) -> Bundle {
        Bundle { ticket: Some(ticket), name, ..self.0.clone() }
    }

    /// Parses the JSON of a grant.
    ///
    /// # Errors
    /// [`BundleError`]: each variant says what to tell the user. A bundle that has a ticket, or is not a contact port, is
    /// [`BundleError::Malformed`].
    pub fn from_json(json: &str) -> Result<Self, BundleError> {
        let bundle = read(json)?;
        let is_grant = bundle.kind == PortKind::ContactPort && bundle.ticket.is_none();
        if is_grant { Ok(Self(bundle)) } else { Err(BundleError::Malformed) }
    }

    /// Writes the JSON of the grant, byte for byte as the app does.
    pub fn to_json(&self) -> SecretText {
        self.0.to_json()
    }
}

fn read(json: &str) -> Result<Bundle, BundleError> {
    let kind = json::read::<Head<'_>>(json).ok_or(BundleError::Malformed)?.kind()?;
    json::read::<Body<'_>>(json).ok_or(BundleError::Malformed)?.bundle(kind)
}

/// The members that say which kind of bundle this is. They are checked first, so that a user who must update is not told that the rest is
/// damaged (§17.2).
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

/// Deserializes a text, or `None` for a value of another type. A later version may use another type, so that is not damage (§17.2).
fn if_text<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<Text<'a>>, D::Error> {
    <&RawValue>::deserialize(d).map(|value| serde_json::from_str(value.get()).ok())
}

/// Deserializes the target as its JSON text, because a number is in digits only (§17.1): `2.0` is not a target.
fn as_it_stands<'de: 'a, 'a, D: Deserializer<'de>>(d: D) -> Result<Option<Text<'a>>, D::Error> {
    <&RawValue>::deserialize(d).map(|value| Some(Text(Cow::Borrowed(value.get()))))
}

impl<'a> Head<'a> {
    /// The field of the member with this name. `None`: the name is not one of these members.
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

    /// Checks the version first, then `org`, then the target (§17.2).
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

/// The other members, unchecked. Unknown members are ignored. serde refuses a known member that comes twice (§17.1).
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
    /// The field of the member with this name. `None`: the name is not one of these members.
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

    /// Whether none of the members is here that a link with a `bundleId` must not have (§17.3).
    pub(crate) fn is_empty(&self) -> bool {
        self.port_id.is_none() && self.pubkey.is_none() && self.rad.is_none()
    }

    /// Checks the members, `keyHash` before the key (§17.2).
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

/// Parses a time in UTC such as `2026-11-22T16:13:22.5Z`, and rounds it down to a second. A time before 1970 is 1970 (§17.2).
pub(crate) fn seconds(text: &str) -> Option<UnixSeconds> {
    let is_utc = text.ends_with('Z') && text.as_bytes().get(10) == Some(&b'T');
    // §17.2: a minute always has 60 seconds. RFC 3339 also allows a leap second.
    let leaps = text.get(17..19) == Some("60");
    let date = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| is_utc && !leaps)?;
    Some(u64::try_from(date.unix_timestamp()).ok().and_then(UnixSeconds::new).unwrap_or_default())
}

/// Writes a time in the same form, to the second. Every time that there is has one.
pub(crate) fn date(seconds: UnixSeconds) -> Option<String> {
    let date = OffsetDateTime::from_unix_timestamp(seconds.as_secs().try_into().ok()?).ok()?;
    let ((year, month, day), (hour, minute, second)) = (date.to_calendar_date(), date.to_hms());
    let month = u8::from(month);
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z"))
}
