//! Message: the messages along a line of the app, their seal (§17.5) and their content (§17.6).

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use minicbor::{Decode, Encode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::base64;
use super::bundle::Grant;
use super::cipher;
use super::error::MessageError;
use super::json::{self, Hex, Object, Text, is_truthy, present};
use super::text::SecretText;
use crate::id::LineLink;
use crate::port::ticket::{self, TicketNotice};
use crate::proof::SharedSecret;
use crate::secret::Secret;
use crate::time::UnixSeconds;

/// The most bytes of `IV ‖ ciphertext` in a message that is sealed or opened: 65,536, for a text of at most 65,519 bytes (§17.5). The app
/// itself sends only much shorter ones.
pub const MAX_ENCRYPTED_CONTENT: usize = 65_536;

/// The key of a line of the app. It seals messages by AES-256-CBC, in both directions. **Nothing that it opens is authenticated** (§17.9):
/// do not take a message's text, direction, freshness or `messageId` as proven.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct UnauthenticatedKey(#[n(0)] SharedSecret);

impl UnauthenticatedKey {
    pub(crate) const fn new(secret: SharedSecret) -> Self {
        Self(secret)
    }

    /// The key of a line, from the 32 bytes that were kept of it.
    pub const fn from_secret(secret: Secret<32>) -> Self {
        Self(SharedSecret::from_raw(secret))
    }

    /// The 32 bytes of the key, to keep. They open everything that was and will be said on this line. Encrypt them at rest where you can,
    /// and keep them out of logs (§17.9).
    pub const fn secret(&self) -> &Secret<32> {
        self.0.raw()
    }

    /// Seals a message. Draw `iv` for it alone.
    ///
    /// # Errors
    /// [`MessageError::TooLong`]: the text is longer than 65,519 bytes. Split it.
    pub fn seal(&self, iv: [u8; 16], text: &str) -> Result<EncryptedContent, MessageError> {
        if cipher::encrypted_len(text.len()) > MAX_ENCRYPTED_CONTENT {
            return Err(MessageError::TooLong);
        }
        Ok(EncryptedContent(cipher::encrypt(self.0.raw(), &iv, text.as_bytes())))
    }

    /// Opens a message. That it opens does not prove that it is genuine (§17.9).
    ///
    /// # Errors
    /// [`MessageError::Forged`], for every cause: drop it.
    pub fn open(&self, sealed: &EncryptedContent) -> Result<SecretText, MessageError> {
        let text = cipher::decrypt(self.0.raw(), &sealed.0).ok_or(MessageError::Forged)?;
        text.into_text().ok_or(MessageError::Forged)
    }
}

/// A sealed message, `{encryptedContent}` (§17.5): `IV ‖ ciphertext`, at most [`MAX_ENCRYPTED_CONTENT`] bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptedContent(Vec<u8>);

impl EncryptedContent {
    /// Parses a sealed message. We accept only `encryptedContent`: a member `content` is ignored (§17.5).
    ///
    /// # Errors
    /// [`MessageError::Malformed`]: the text is not a sealed message. [`MessageError::TooLong`]: it is longer than
    /// [`MAX_ENCRYPTED_CONTENT`]. Drop it.
    pub fn from_json(json: &str) -> Result<Self, MessageError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
        struct Fields<'a> {
            encrypted_content: Text<'a>,
        }

        let Fields { encrypted_content } = json::read(json).ok_or(MessageError::Malformed)?;
        if encrypted_content.len() > MAX_ENCRYPTED_CONTENT.div_ceil(3).saturating_mul(4) {
            return Err(MessageError::TooLong);
        }
        base64::read(&encrypted_content, MAX_ENCRYPTED_CONTENT).map(Self).ok_or(MessageError::Malformed)
    }

    /// Writes the JSON of the sealed message, byte for byte as the app does.
    pub fn to_json(&self) -> SecretText {
        Object::default().string("encryptedContent", &base64::write(&self.0)).end()
    }
}

impl fmt::Debug for EncryptedContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EncryptedContent([{} bytes])", self.0.len())
    }
}

/// The id of a message, 16 bytes. Draw a random one for each. Keep its [`mark`](MessageId::mark) to recognize a message that comes again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MessageId(pub [u8; 16]);

impl MessageId {
    /// The mark of the message: the last 15 bytes of its id. Keep the mark of each message that you opened *or sealed*, in a table of
    /// unique rows. Drop a message whose mark is there already (§17.6). Nothing else detects a replay. The first byte is no part of the
    /// mark, because nothing vouches for the first block (§17.9).
    pub const fn mark(&self) -> [u8; 15] {
        let [_, mark @ ..] = self.0;
        mark
    }
}

impl From<[u8; 16]> for MessageId {
    fn from(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

/// The content of a message, before it is sealed or after it was opened (§17.6). The protocol knows two kinds of `data`, both about contact
/// ports. All others are the app's.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Message<'a> {
    /// The id of the message.
    pub id: MessageId,
    /// The `contentType` and `data` of the message.
    pub content: Content<'a>,
    /// The two members behind `data`. `None` if the message has neither. A ticket has none: they are neither read nor written (§17.6).
    pub tail: Option<Tail<'a>>,
}

/// What a message says.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content<'a> {
    /// Type 25: the other end grants its contact port, so that this end can introduce others to it.
    ContactPortBundle(Grant),
    /// Type 26: the other end introduces a peer to this end's contact port with this ticket.
    ContactPortTicket {
        /// The contact port's `portId`.
        contact_port: LineLink,
        /// The ticket, 16 bytes.
        ticket: Secret<16>,
    },
    /// Any other type. Its `data` is the app's matter.
    Other {
        /// The app's number of the type.
        content_type: u32,
        /// The JSON of `data`, as it was received or is to be written.
        data: &'a str,
    },
}

const CONTACT_PORT_BUNDLE: u32 = 25;
const CONTACT_PORT_TICKET: u32 = 26;

/// The last two members of a message: which message it answers, and when it is to vanish (§17.6).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Tail<'a> {
    /// `replyId`: the id of the message that this one answers. `None`: `null`.
    pub reply_id: Option<Cow<'a, str>>,
    /// `expiresOn`: when the message is to vanish, as the app writes times. It is not parsed. `None`: `null`.
    pub expires_on: Option<Cow<'a, str>>,
}

impl<'a> Message<'a> {
    /// Parses the text of a message that was opened.
    ///
    /// # Errors
    /// [`MessageError::Malformed`]: the text is not a message. Drop it.
    pub fn from_json(json: &'a str) -> Result<Self, MessageError> {
        Self::read(json).ok_or(MessageError::Malformed)
    }

    /// Writes the JSON of the message, byte for byte as the app does. Seal it next.
    ///
    /// # Errors
    /// [`MessageError::Malformed`]: the `data` of a [`Content::Other`] is not JSON. Correct it.
    pub fn to_json(&self) -> Result<SecretText, MessageError> {
        let mut message = Object::default();
        message.hex("messageId", &self.id.0);
        match &self.content {
            Content::ContactPortBundle(grant) => {
                let data = Object::default().value("bundle", grant.to_json()).end();
                message.value("contentType", CONTACT_PORT_BUNDLE).value("data", data)
            }
            Content::ContactPortTicket { contact_port, ticket } => {
                let data = Object::default()
                    .hex("ticketId", ticket.expose())
                    .hex("contactPortId", contact_port.as_bytes())
                    .end();
                message.value("contentType", CONTACT_PORT_TICKET).value("data", data)
            }
            Content::Other { content_type, data } => {
                serde_json::from_str::<IgnoredAny>(data).map_err(|_| MessageError::Malformed)?;
                message.value("contentType", content_type).value("data", data)
            }
        };
        let tail = self.tail.as_ref().filter(|_| self.content.has_tail());
        if let Some(Tail { reply_id, expires_on }) = tail {
            for (key, value) in [("replyId", reply_id), ("expiresOn", expires_on)] {
                match value {
                    Some(text) => message.string(key, text),
                    None => message.value(key, "null"),
                };
            }
        }
        Ok(message.end())
    }

    fn read(json: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Fields<'a> {
            message_id: Hex<16>,
            content_type: u32,
            #[serde(borrow)]
            data: &'a RawValue,
            #[serde(borrow, default, deserialize_with = "present")]
            reply_id: Option<Option<Text<'a>>>,
            #[serde(borrow, default, deserialize_with = "present")]
            expires_on: Option<Option<Text<'a>>>,
        }

        let fields: Fields<'a> = json::read(json)?;
        let content = Content::read(fields.content_type, fields.data.get())?;
        let is_there = fields.reply_id.is_some() || fields.expires_on.is_some();
        let tail = (is_there && content.has_tail()).then(|| Tail {
            reply_id: fields.reply_id.flatten().map(Text::into_cow),
            expires_on: fields.expires_on.flatten().map(Text::into_cow),
        });
        Some(Self { id: fields.message_id.into(), content, tail })
    }
}

impl<'a> Content<'a> {
    /// The notice of a ticket, for [`accept_ticket`](crate::AliceOf::accept_ticket) of the contact port's Alice (§17.10). `None` if this is
    /// not a ticket. The app's message has no introducer's name and no expiry. So the notice has no name, and the caller chooses `expires`.
    /// With `None`, the ticket is good as long as the contact port is.
    pub fn told_ticket(&self, expires: Option<UnixSeconds>) -> Option<TicketNotice> {
        let Self::ContactPortTicket { contact_port, ticket } = self else { return None };
        let ticket = ticket::hash(ticket);
        Some(TicketNotice { line_link: *contact_port, ticket, name: ticket::IntroducerName::NONE, expires })
    }

    /// §17.6: every message but a ticket has `replyId` and `expiresOn`.
    const fn has_tail(&self) -> bool {
        !matches!(self, Self::ContactPortTicket { .. })
    }

    fn read(content_type: u32, data: &'a str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Bundle<'a> {
            #[serde(borrow, default)]
            bundle: Option<&'a RawValue>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Ticket {
            contact_port_id: Hex<16>,
            ticket_id: Hex<16>,
        }

        match content_type {
            CONTACT_PORT_BUNDLE => match json::read::<Bundle<'_>>(data)?.bundle {
                Some(bundle) if is_truthy(bundle) => Grant::from_json(bundle.get()).ok().map(Self::ContactPortBundle),
                // §17.6: without a bundle it means nothing.
                _ => Some(Self::Other { content_type, data }),
            },
            CONTACT_PORT_TICKET => {
                let Ticket { contact_port_id, ticket_id } = json::read(data)?;
                Some(Self::ContactPortTicket { contact_port: contact_port_id.into(), ticket: ticket_id.0 })
            }
            _ => Some(Self::Other { content_type, data }),
        }
    }
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ContactPortBundle(grant) => f.debug_tuple("ContactPortBundle").field(grant).finish(),
            Self::ContactPortTicket { contact_port: _, ticket: _ } => f.write_str("ContactPortTicket(..)"),
            Self::Other { content_type, data: _ } => write!(f, "Other({content_type}, ..)"),
        }
    }
}

impl fmt::Debug for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reply_id: _, expires_on: _ } = self;
        f.write_str("Tail(..)")
    }
}
