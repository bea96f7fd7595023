//! Spent: what is left of a Port once it is dead, at either side (§4.4, §5.4).

use minicbor::{Decode, Encode};

use crate::dialect::{Ask, Dialect, Says};
use crate::error::Rejected;
use crate::id::{LineId, LineLink, RecordKey};
use crate::message::Event;
use crate::port::PortKind;

/// No key is left to leak. What remains tells a late event what became of the Port.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum Tombstone<End> {
    /// With a line.
    #[n(1)]
    Formed {
        #[n(0)]
        line_link: LineLink,
        #[n(1)]
        line_id: LineId,
    },
    /// Without one. Named by its request if it never had a link.
    #[n(2)]
    Ended {
        #[n(0)]
        key: RecordKey,
        #[n(1)]
        end: End,
        /// Until it was said.
        #[n(2)]
        farewell: Option<FinalRequest>,
    },
}

/// What the relay is told at the end.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum FinalRequest {
    #[n(1)]
    Nothing,
    /// The line that was not to be.
    #[n(2)]
    Disconnect(#[n(0)] LineId),
    /// The Port's own link, which was of this kind.
    #[n(3)]
    CloseLink(#[n(0)] PortKind),
}

impl<End: Clone> Tombstone<End> {
    pub(crate) const fn ended(key: RecordKey, end: End, farewell: FinalRequest) -> Self {
        Self::Ended { key, end, farewell: Some(farewell) }
    }

    pub(crate) const fn key(&self) -> RecordKey {
        match self {
            Self::Formed { line_link, .. } => RecordKey::LineLink(*line_link),
            Self::Ended { key, .. } => *key,
        }
    }

    /// Nothing moves it any more (§4.4). A line that is not *the* line has somebody at its far end who should be told.
    pub(crate) fn reject(&self, event: &Event<'_>) -> Rejected {
        match (self, event) {
            (Self::Formed { line_id: ours, .. }, Event::LineFormed { line_id, .. }) if ours == line_id => {
                Rejected::Duplicate
            }
            (_, Event::LineFormed { line_id, .. }) => Rejected::UnwantedLine(*line_id),
            (_, Event::LineLinkIssued { line_link, .. }) => Rejected::UnwantedLink(*line_link),
            _ => Rejected::OutOfOrder,
        }
    }

    /// `None` if it is already.
    pub(crate) fn settled(&self) -> Option<Self> {
        match self {
            Self::Ended { key, end, farewell: Some(_) } => {
                Some(Self::Ended { key: *key, end: end.clone(), farewell: None })
            }
            _ => None,
        }
    }

    /// The last effects.
    pub(crate) fn says<D: Dialect>(&self, place: usize) -> Option<Says<'_, D, End>> {
        let Self::Ended { key, end, farewell: Some(farewell) } = self else { return None };
        match (place, farewell, key) {
            (0, FinalRequest::Disconnect(line_id), _) => Some(Says::Ask(Ask::Disconnect(*line_id))),
            (0, FinalRequest::CloseLink(kind), RecordKey::LineLink(line_link)) => {
                Some(Says::Ask(Ask::Close { line_link, kind: *kind }))
            }
            (1, ..) => Some(Says::Ended(end.clone())),
            _ => None,
        }
    }
}
