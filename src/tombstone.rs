//! Tombstone: what is left of a Port once it is dead, at either side (§4.4, §5.4).

use minicbor::{Decode, Encode};

use crate::error::Rejected;
use crate::id::{LineId, LineLink, RecordKey};
use crate::machine::peers::Peers;
use crate::message::Event;
use crate::port::PortKind;

/// It holds no key that could leak. It tells a late event what became of the Port.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum Tombstone<Outcome> {
    /// The Port formed a line.
    #[n(1)]
    Formed {
        #[n(0)]
        line_link: LineLink,
        #[n(1)]
        line_id: LineId,
    },
    /// The Port formed none.
    #[n(2)]
    Ended {
        /// The request's, if it never had a link.
        #[n(0)]
        key: RecordKey,
        #[n(1)]
        outcome: Outcome,
        /// Until the outbox was done.
        #[n(2)]
        last: Option<FinalRequest>,
    },
}

/// What the relay is told at the end.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(flat)]
pub enum FinalRequest {
    #[n(1)]
    Nothing,
    /// End the line that is not wanted.
    #[n(2)]
    Disconnect(#[n(0)] LineId),
    /// Close the Port's own link, which is of this kind.
    #[n(3)]
    CloseLink(#[n(0)] PortKind),
}

/// What is in one place of a tombstone's outbox.
pub(crate) enum LastWord<'t, Outcome> {
    Disconnect(LineId),
    CloseLink(
        &'t LineLink,
        #[cfg_attr(not(feature = "app"), expect(dead_code, reason = "this crate's own relay needs no kind"))] PortKind,
    ),
    Ended(Outcome),
}

/// No machine wants this line. A stored one came again, and is left in peace.
pub(crate) fn unwanted(line_id: LineId, peers: &impl Peers) -> Rejected {
    if peers.port_of_line(&line_id).is_some() { Rejected::Duplicate } else { Rejected::UnwantedLine(line_id) }
}

impl<Outcome: Copy> Tombstone<Outcome> {
    pub(crate) const fn ended(key: RecordKey, outcome: Outcome, last: FinalRequest) -> Self {
        Self::Ended { key, outcome, last: Some(last) }
    }

    pub(crate) const fn key(&self) -> RecordKey {
        match self {
            Self::Formed { line_link, .. } => RecordKey::LineLink(*line_link),
            Self::Ended { key, .. } => *key,
        }
    }

    /// Nothing moves it any more (§4.4).
    pub(crate) fn reject(&self, event: &Event<'_>, peers: &impl Peers) -> Rejected {
        match event {
            Event::LineFormed { line_id, .. } | Event::Connected { line_id, .. } => self.reject_line(*line_id, peers),
            Event::LineLinkIssued { line_link, .. } => Rejected::UnwantedLink(*line_link),
            _ => Rejected::OutOfOrder,
        }
    }

    /// A line that is not this Port's has somebody at its far end who should be told. One that is stored came again: the answer to an
    /// unwanted line would end a good one.
    pub(crate) fn reject_line(&self, line_id: LineId, peers: &impl Peers) -> Rejected {
        match self {
            Self::Formed { line_id: ours, .. } if *ours == line_id => Rejected::Duplicate,
            _ => unwanted(line_id, peers),
        }
    }

    /// Whether there is nothing left to do.
    pub(crate) const fn is_done(&self) -> bool {
        matches!(self, Self::Formed { .. } | Self::Ended { last: None, .. })
    }

    /// The outbox: first the final request, then the outcome.
    pub(crate) const fn outbox(&self, place: u8) -> Option<LastWord<'_, Outcome>> {
        let Self::Ended { key, outcome, last: Some(last) } = self else { return None };
        match (place, last, key) {
            (0, FinalRequest::Disconnect(line_id), _) => Some(LastWord::Disconnect(*line_id)),
            (0, FinalRequest::CloseLink(kind), RecordKey::LineLink(line_link)) => {
                Some(LastWord::CloseLink(line_link, *kind))
            }
            (1, ..) => Some(LastWord::Ended(*outcome)),
            _ => None,
        }
    }

    /// `None` if the outbox is empty already.
    pub(crate) const fn without_outbox(&self) -> Option<Self> {
        match self {
            Self::Ended { key, outcome, last: Some(_) } => {
                Some(Self::Ended { key: *key, outcome: *outcome, last: None })
            }
            _ => None,
        }
    }
}
