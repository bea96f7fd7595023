//! IntroducerMessage: what Alice and its introducer say to each other, along their own line (§16.3).

use core::fmt;

use minicbor::{Decode, Decoder, Encode, decode};

use crate::error::DecodeError;
use crate::id::LineLink;
use crate::message::canonical_form;
use crate::port::Port;
use crate::port::ticket::TicketNotice;

/// The longest introducer message, padded, in bytes. Sealed by
/// [`Line::seal_introducer_message`](crate::Line::seal_introducer_message) it is at most [`SEAL_OVERHEAD`](crate::SEAL_OVERHEAD) longer.
pub const MAX_INTRODUCER_MESSAGE: usize = 256;

/// What Alice and its introducer say to each other (§16.3). It travels along the line that they have, once that is confirmed,
/// and comes as [`LineEffect::IntroducerMessage`](crate::LineEffect::IntroducerMessage).
#[derive(Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(flat)]
#[non_exhaustive]
pub enum IntroducerMessage<'a> {
    /// Alice: you may introduce people. For [`Introducer::granted`](crate::Introducer::granted).
    #[n(1)]
    Grant {
        /// The contact port's canonical bytes, without a ticket: those of [`Port::to_bytes`](crate::Port::to_bytes).
        #[cbor(n(0), encode_with = "minicbor::bytes::encode", decode_with = "contact_port")]
        port: &'a [u8],
    },
    /// The introducer: a guest with this ticket will come. For [`Alice::accept_ticket`](crate::Alice::accept_ticket).
    #[n(2)]
    Ticket(#[n(0)] TicketNotice),
    /// Alice: introduce nobody any more. For [`Introducer::handle`](crate::Introducer::handle).
    #[n(3)]
    Withdrawn {
        /// The contact port's link.
        #[n(0)]
        line_link: LineLink,
    },
}

impl fmt::Debug for IntroducerMessage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grant { port } => write!(f, "Grant([{} bytes])", port.len()),
            Self::Ticket(notice) => f.debug_tuple("Ticket").field(notice).finish(),
            Self::Withdrawn { line_link } => f.debug_tuple("Withdrawn").field(line_link).finish(),
        }
    }
}

canonical_form!(IntroducerMessage);

/// [`IntroducerMessage::decode`]. Messages are many and these are few, so this stays out of line.
#[cold]
#[inline(never)]
pub(crate) fn read(text: &[u8]) -> Result<IntroducerMessage<'_>, DecodeError> {
    IntroducerMessage::decode(text)
}

/// The bytes of a contact port, and of nothing else: a reader need not look twice.
fn contact_port<'b, C>(d: &mut Decoder<'b>, _: &mut C) -> Result<&'b [u8], decode::Error> {
    let port = d.bytes()?;
    Port::from_grant(port).map(|_| port).map_err(|_| decode::Error::message("not a contact port"))
}
