//! What the shim is asked, from JSON.

use std::convert::Infallible;

use port_protocol::rand_core::{self, TryCryptoRng, TryRng};
use port_protocol::{
    IntroducerName, LineId, LineLink, OnRepeat, PeerMark, Peers, Policy, PortHash, PortOptions, Relationship,
    RelayAddr, SendProof, TicketHash, TicketNotice, UnixSeconds, UseLimit,
};
use serde::Deserialize;

use crate::answer::Failure;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    AliceRequest {
        #[serde(with = "hex")]
        seed: [u8; 64],
        expires: Option<Time>,
        relay: Option<String>,
        policy: Option<PolicyIn>,
        introducer: Option<Hex16>,
        #[serde(default)]
        recognisable: bool,
    },
    AliceOffer {
        #[serde(with = "hex")]
        seed: [u8; 64],
        #[serde(with = "hex")]
        line_link: [u8; 16],
        expires: Option<Time>,
        relay: Option<String>,
        policy: Option<PolicyIn>,
        introducer: Option<Hex16>,
        #[serde(default)]
        recognisable: bool,
    },
    BobScan {
        #[serde(with = "hex")]
        seed: [u8; 64],
        port: String,
    },
    ScanAgain {
        #[serde(with = "hex")]
        seed: [u8; 64],
        port: String,
    },
    Pool {
        #[serde(with = "hex")]
        seed: [u8; 64],
        low: u8,
        full: u8,
    },
    Granted {
        #[serde(with = "hex")]
        port: Vec<u8>,
        #[serde(with = "hex")]
        from: [u8; 16],
    },
    Restore {
        #[serde(with = "hex")]
        record: Vec<u8>,
    },
    Connect {
        proof: ProofOn,
        now: Time,
    },
    Event {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
        now: Time,
        #[serde(with = "hex", default)]
        ad: Vec<u8>,
        #[serde(default)]
        peers: PeersIn,
        fresh: Option<Hex32>,
    },
    AcceptTicket {
        notice: NoticeIn,
        #[serde(with = "hex")]
        from: [u8; 16],
        outstanding: usize,
        now: Time,
    },
    SetPolicy {
        policy: PolicyIn,
    },
    Accept {
        now: Time,
    },
    Decline {},
    Introduce {
        name: String,
        expires: Option<Time>,
        #[serde(with = "hex")]
        seed: [u8; 64],
        now: Time,
    },
    MarkAnnounced {},
    Hear {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
        #[serde(with = "hex")]
        from: [u8; 16],
    },
    SealIntroducerMessage {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
    },
    Pop {},
    Seal {
        #[serde(with = "hex")]
        message: Vec<u8>,
        #[serde(with = "hex", default)]
        ad: Vec<u8>,
        #[serde(default)]
        padded: bool,
    },
    Export {
        label: String,
        #[serde(with = "hex", default)]
        context: Vec<u8>,
    },
    Close {},
    Revoke {},
    Cancel {},
    Tick {
        now: Time,
    },
    ClearOutbox {},
    Commit {},
    Drop {},
    Pending {},
    State {},
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u64")]
pub struct Time(pub UnixSeconds);

impl TryFrom<u64> for Time {
    type Error = &'static str;

    fn try_from(secs: u64) -> Result<Self, Self::Error> {
        UnixSeconds::new(secs).map(Self).ok_or("later than the year 9999")
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
pub struct Hex16(#[serde(with = "hex")] pub [u8; 16]);

#[derive(Deserialize)]
#[serde(transparent)]
pub struct Hex32(#[serde(with = "hex")] pub [u8; 32]);

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOn {
    Inline,
    AlongTheLine,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyIn {
    use_limit: UseLimitIn,
    #[serde(default)]
    on_repeat: OnRepeatIn,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    require_approval: bool,
    closes_at: Option<Time>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UseLimitIn {
    UpTo(u32),
    Word(UseLimitWord),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum UseLimitWord {
    Once,
    Unlimited,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum OnRepeatIn {
    #[default]
    Replace,
    Allow,
    Refuse,
}

/// What the driver's tables say of somebody who comes.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct PeersIn {
    #[serde(default)]
    relationship: RelationshipIn,
    port_of_line: Option<Hex32>,
    #[serde(default)]
    tickets: Vec<NoticeIn>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum RelationshipIn {
    #[default]
    Unknown,
    Blocked,
    Connected(Hex16),
}

/// A row of a ticket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeIn {
    #[serde(with = "hex")]
    line_link: [u8; 16],
    #[serde(with = "hex")]
    ticket: [u8; 32],
    name: String,
    expires: Option<Time>,
}

impl NoticeIn {
    pub fn row(&self) -> Result<TicketNotice, Failure> {
        let (line_link, ticket) = (LineLink::from(self.line_link), TicketHash::from(self.ticket));
        Ok(TicketNotice {
            line_link,
            ticket,
            name: IntroducerName::new(&self.name)?,
            expires: self.expires.map(|Time(at)| at),
        })
    }
}

impl Peers for PeersIn {
    fn port_of_line(&self, _: &LineId) -> Option<PortHash> {
        self.port_of_line.as_ref().map(|Hex32(hash)| PortHash::from(*hash))
    }

    fn relationship(&self, _: &PeerMark) -> Relationship {
        match self.relationship {
            RelationshipIn::Unknown => Relationship::Unknown,
            RelationshipIn::Blocked => Relationship::Blocked,
            RelationshipIn::Connected(Hex16(line_id)) => Relationship::Connected(LineId::from(line_id)),
        }
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.tickets.iter().filter_map(|notice| notice.row().ok()).find(|row| row.ticket == *ticket)
    }
}

/// A generator that gives the driver's 32 bytes, once.
pub struct Fresh {
    bytes: Option<[u8; 32]>,
    missing: bool,
}

impl Fresh {
    pub fn new(bytes: Option<Hex32>) -> Self {
        Self { bytes: bytes.map(|Hex32(bytes)| bytes), missing: false }
    }

    /// Whether a machine drew what the driver had not given.
    pub const fn is_missing(&self) -> bool {
        self.missing
    }
}

impl TryRng for Fresh {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        rand_core::utils::next_word_via_fill(self)
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        match self.bytes.take() {
            Some(bytes) if bytes.len() == out.len() => out.copy_from_slice(&bytes),
            _ => self.missing = true,
        }
        Ok(())
    }
}

impl TryCryptoRng for Fresh {}

pub fn options(
    expires: Option<Time>,
    relay: Option<&str>,
    policy: Option<PolicyIn>,
    introducer: Option<Hex16>,
    recognisable: bool,
) -> Result<PortOptions, Failure> {
    let mut options = PortOptions::new().recognisable(recognisable);
    if let Some(Time(expires)) = expires {
        options = options.expires(expires);
    }
    if let Some(relay) = relay {
        options = options.relay(RelayAddr::new(relay)?);
    }
    if let Some(policy) = policy {
        options = options.policy(policy.into());
    }
    if let Some(Hex16(line_id)) = introducer {
        options = options.introducer(line_id.into());
    }
    Ok(options)
}

impl From<PolicyIn> for Policy {
    fn from(policy: PolicyIn) -> Self {
        let use_limit = match policy.use_limit {
            UseLimitIn::UpTo(n) => UseLimit::UpTo(n),
            UseLimitIn::Word(UseLimitWord::Once) => UseLimit::Once,
            UseLimitIn::Word(UseLimitWord::Unlimited) => UseLimit::Unlimited,
        };
        let on_repeat = match policy.on_repeat {
            OnRepeatIn::Replace => OnRepeat::Replace,
            OnRepeatIn::Allow => OnRepeat::Allow,
            OnRepeatIn::Refuse => OnRepeat::Refuse,
        };
        let PolicyIn { paused, require_approval, closes_at, .. } = policy;
        Self::once()
            .with_use_limit(use_limit)
            .on_repeat(on_repeat)
            .paused(paused)
            .require_approval(require_approval)
            .closes_at(closes_at.map(|Time(at)| at))
    }
}

impl From<ProofOn> for SendProof {
    fn from(proof: ProofOn) -> Self {
        match proof {
            ProofOn::Inline => Self::Inline,
            ProofOn::AlongTheLine => Self::AlongTheLine,
        }
    }
}
