//! Signatures of requests (§19.5): RFC 9421, as the real system makes and checks them.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use rand_core::CryptoRng;
use sfv::{BareItem, DictSerializer, Dictionary, InnerList, Item, ItemSerializer, ListEntry, ListSerializer, Parser};

use super::error::BadSignature;
use super::identity::{KeyError, PrivateKey, PublicKey, ShortId};
use super::url::Url;
use crate::UnixSeconds;

/// The label that the real system's signatures have. It takes any.
pub const LABEL: &str = "pyhms";

/// The name of the algorithm: RSASSA-PSS with SHA-512.
pub const ALGORITHM: &str = "rsa-pss-sha512";

/// What each signature covers.
pub const REQUIRED: [&str; 3] = ["@method", "@authority", "@target-uri"];

/// How far clocks may differ, in seconds.
pub const CLOCK_SKEW: u64 = 5;

/// How old a signature may be, in seconds, [`CLOCK_SKEW`] aside.
pub const MAX_AGE: u64 = 24 * 60 * 60;

/// The only parameters that the real system takes.
const PARAMETERS: [&str; 6] = ["alg", "created", "expires", "keyid", "nonce", "tag"];

/// Longer fields are not parsed. The real system's own have less than a kilobyte.
const MAX_FIELD: usize = 8 * 1024;
/// How long a signature base is, at most: what is covered is as long as the client likes.
const MAX_BASE: usize = 64 << 10;

/// A field of a request: its name in any case, and its value, read as Latin-1.
pub type Header<'a> = (&'a str, &'a str);

/// The last of a name, which is the one that the real system looks at.
pub(super) fn last<'a>(headers: &[Header<'a>], name: &str) -> Option<&'a str> {
    headers.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, value)| value)
}

/// What of a request can be signed (§19.5): method, URL and header fields.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    method: String,
    url: Url,
    headers: &'a [Header<'a>],
}

impl<'a> Message<'a> {
    /// The URL is brought into the form that the real system's HTTP client gives it (§19.4). `None` if no request can have this URL, or if a header
    /// has a line break or begins with a space.
    pub fn new(method: &str, url: &str, headers: &'a [Header<'a>]) -> Option<Self> {
        let is_broken = |text: &str| text.contains(['\r', '\n']) || text.starts_with(char::is_whitespace);
        let broken = headers.iter().any(|(name, value)| is_broken(name) || is_broken(value));
        let token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic());
        let url = Url::new(url).filter(|_| token && !broken)?;
        Some(Self { method: method.to_ascii_uppercase(), url, headers })
    }

    /// The method, upper case: `@method`.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The URL, in normal form: `@target-uri`.
    pub fn target_uri(&self) -> &str {
        self.url.as_str()
    }

    pub(super) const fn url(&self) -> &Url {
        &self.url
    }

    fn component(&self, name: &str) -> Option<String> {
        let url = &self.url;
        Some(match name {
            "@method" => self.method.clone(),
            "@authority" => url.authority(),
            "@target-uri" => url.as_str().to_string(),
            "@scheme" => url.scheme(),
            "@path" => url.path().to_string(),
            "@query" => format!("?{}", url.query()),
            "@request-target" => format!("{}?{}", url.path(), url.query()),
            name if name.starts_with('@') => return None,
            name => last(self.headers, name)?.to_string(),
        })
    }
}

/// The two header fields of a signature, parsed (§19.5).
///
/// ```
/// use port_protocol::portal::freeshard::Signed;
///
/// let fields = [
///     ("Signature-Input", r#"any=("@method" "date");created=1700000000;keyid="1evphv""#),
///     ("Signature", "any=:AAEC:"),
/// ];
/// let signed = Signed::parse(&fields)?;
/// assert_eq!(signed.components().collect::<Vec<_>>(), ["@method", "date"]);
/// assert_eq!(signed.key_id(), Some("1evphv"));
/// # Ok::<(), port_protocol::portal::freeshard::BadSignature>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Signed {
    label: sfv::Key,
    input: InnerList,
    signature: Vec<u8>,
}

impl Signed {
    /// Finds the two fields among a request's, and parses them (RFC 9651). Nothing of it is checked yet.
    ///
    /// # Errors
    /// [`BadSignature::Missing`] if a field is missing, else [`BadSignature::Malformed`].
    pub fn parse(headers: &[Header<'_>]) -> Result<Self, BadSignature> {
        let field = |name| last(headers, name).ok_or(BadSignature::Missing);
        let (input, signature) = (field("signature-input")?, field("signature")?);
        let (mut inputs, mut signatures) = (dictionary(input)?, dictionary(signature)?);
        let (Some((label, ListEntry::InnerList(input))), true) = (inputs.pop(), inputs.is_empty()) else {
            return Err(BadSignature::Malformed);
        };
        let (Some((same, ListEntry::Item(item))), true) = (signatures.pop(), signatures.is_empty()) else {
            return Err(BadSignature::Malformed);
        };
        let (BareItem::ByteSequence(bytes), true) = (item.bare_item, label == same && is_padded(signature)) else {
            return Err(BadSignature::Malformed);
        };
        // Tokens and numbers are no names of components.
        if input.items.iter().any(|item| item.bare_item.as_string().is_none()) {
            return Err(BadSignature::Malformed);
        }
        Ok(Self { label, input, signature: bytes })
    }

    /// The label of the signature. It means nothing.
    pub fn label(&self) -> &str {
        self.label.as_str()
    }

    /// What the signature says it covers, in its order: names of header fields in lower case, and names that begin with `@`.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.input.items.iter().filter_map(|item| item.bare_item.as_string()).map(|name| name.as_str())
    }

    /// Whose signature it says it is: the signer's short ID. Not checked yet.
    pub fn key_id(&self) -> Option<&str> {
        self.text("keyid")
    }

    /// When it says it was made. Not checked yet.
    pub fn created(&self) -> Option<i64> {
        self.input.params.get("created").and_then(timestamp)
    }

    /// The signature itself.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The values of `Signature-Input` and `Signature`, in canonical form.
    pub fn to_fields(&self) -> (String, String) {
        let mut input = DictSerializer::new();
        input.members([(&self.label, &ListEntry::InnerList(self.input.clone()))]);
        let mut signature = DictSerializer::new();
        let _ = signature.bare_item(&self.label, self.signature.as_slice());
        (input.finish().unwrap_or_default(), signature.finish().unwrap_or_default())
    }

    /// The signature base: what is signed. A line for each component, the last for the parameters, and no line break at the end.
    ///
    /// # Errors
    /// [`BadSignature::Component`] if a component is covered that the request has not, or one twice, or one in upper case.
    pub fn base(&self, message: &Message<'_>) -> Result<String, BadSignature> {
        let mut base = String::new();
        let mut names: Vec<String> = Vec::new();
        for (item, name) in self.input.items.iter().zip(self.components()) {
            // A parameter changes what a derived component is. Of a field the real system ignores it.
            let known = !name.starts_with('@') || item.params.is_empty();
            let value = message.component(name).filter(|_| known).ok_or(BadSignature::Component)?;
            let is_upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
            let name = serialised(item);
            if is_upper || names.contains(&name) {
                return Err(BadSignature::Component);
            }
            // Before it is made: one field may be covered again and again.
            if base.len().saturating_add(name.len()).saturating_add(value.len()) > MAX_BASE {
                return Err(BadSignature::Component);
            }
            base.push_str(&format!("{name}: {value}\n"));
            names.push(name);
        }
        let mut list = ListSerializer::new();
        list.members([&ListEntry::InnerList(self.input.clone())]);
        base.push_str(&format!("\"@signature-params\": {}", list.finish().unwrap_or_default()));
        Ok(base)
    }

    /// Whether a component is covered, without parameters.
    pub fn covers(&self, component: &str) -> bool {
        let is_it = |item: &Item| item.bare_item.as_string().is_some_and(|name| name.as_str() == component);
        self.input.items.iter().any(|item| is_it(item) && item.params.is_empty())
    }

    /// Checks everything but the body (§19.5): the window of time, the parameters, the covered components, and the signature under the key that
    /// `key` gives for the `keyid`.
    ///
    /// # Errors
    /// [`BadSignature`] says why. It is for the host's log: to the requester each is the same, and makes it anonymous.
    pub fn verify<'k>(
        &self,
        message: &Message<'_>,
        now: UnixSeconds,
        key: impl FnOnce(&str) -> Option<&'k PublicKey>,
    ) -> Result<(), BadSignature> {
        self.check_time(now)?;
        if self.input.params.contains_key("alg") && self.text("alg") != Some(ALGORITHM) {
            return Err(BadSignature::Algorithm);
        }
        let key = self.key_id().and_then(key).ok_or(BadSignature::UnknownKey)?;
        if self.input.params.keys().any(|name| !PARAMETERS.contains(&name.as_str())) {
            return Err(BadSignature::Parameter);
        }
        if !REQUIRED.iter().all(|component| self.covers(component)) {
            return Err(BadSignature::NotCovered);
        }
        if key.verify(self.base(message)?.as_bytes(), &self.signature) { Ok(()) } else { Err(BadSignature::Wrong) }
    }

    fn check_time(&self, now: UnixSeconds) -> Result<(), BadSignature> {
        let time = |name| self.input.params.get(name).map(|item| timestamp(item).ok_or(BadSignature::Parameter));
        let now = i64::try_from(now.as_secs()).map_err(|_| BadSignature::Parameter)?;
        let skew = CLOCK_SKEW.cast_signed();
        let created = time("created").ok_or(BadSignature::Parameter)??;
        if created > now.saturating_add(skew) {
            return Err(BadSignature::Future);
        }
        if created.saturating_add(MAX_AGE.cast_signed()) < now.saturating_sub(skew) {
            return Err(BadSignature::TooOld);
        }
        match time("expires").transpose()? {
            Some(expires) if expires < now.saturating_sub(skew) => Err(BadSignature::Expired),
            // Its clock ends with the year 9999.
            Some(expires) if expires > UnixSeconds::MAX.as_secs().cast_signed() => Err(BadSignature::Parameter),
            _ => Ok(()),
        }
    }

    fn text(&self, name: &str) -> Option<&str> {
        match self.input.params.get(name)? {
            BareItem::String(text) => Some(text.as_str()),
            BareItem::Token(text) => Some(text.as_str()),
            _ => None,
        }
    }
}

/// Makes a signature of a request: the covered components are [`REQUIRED`] and these header fields, which the message has.
///
/// # Errors
/// [`KeyError`] if the key is broken, or if the message lacks a field.
pub(super) fn sign<R: CryptoRng + ?Sized>(
    key: &PrivateKey,
    signer: ShortId,
    message: &Message<'_>,
    fields: &[&str],
    now: UnixSeconds,
    rng: &mut R,
) -> Result<Signed, KeyError> {
    let components: Vec<String> = REQUIRED.iter().chain(fields).map(|name| format!("\"{name}\"")).collect();
    let (components, created) = (components.join(" "), now.as_secs());
    let input = format!("{LABEL}=({components});created={created};keyid=\"{signer}\";alg=\"{ALGORITHM}\"");
    let fields = [("signature-input", input.as_str()), ("signature", "pyhms=::")];
    let mut signed = Signed::parse(&fields).map_err(|_| KeyError::Library)?;
    let base = signed.base(message).map_err(|_| KeyError::Malformed)?;
    signed.signature = key.sign(base.as_bytes(), rng)?;
    Ok(signed)
}

pub(super) fn dictionary(field: &str) -> Result<Dictionary, BadSignature> {
    if field.len() > MAX_FIELD {
        return Err(BadSignature::Malformed);
    }
    Parser::new(field).parse().map_err(|_| BadSignature::Malformed)
}

/// The library takes a byte sequence without its `=`. The real system does not.
fn is_padded(signature: &str) -> bool {
    signature.split(':').nth(1).is_some_and(|bytes| bytes.len() % 4 == 0)
}

fn serialised(item: &Item) -> String {
    ItemSerializer::new().bare_item(&item.bare_item).parameters(&item.params).finish()
}

/// Seconds since 1970. The real system reads them also from a decimal number or a text.
fn timestamp(item: &BareItem) -> Option<i64> {
    match item {
        BareItem::Integer(secs) => Some((*secs).into()),
        BareItem::Decimal(secs) => secs.to_string().split('.').next()?.parse().ok(),
        BareItem::String(secs) => secs.as_str().parse().ok(),
        _ => None,
    }
}
