//! What the shim is asked, from JSON.

use port_protocol::{
    IntroducerName, LineId, LineLink, OnRepeat, PairHash, Peers, Policy, PortOptions, Relationship, RelayAddr,
    SendProof, TicketHash, TicketNotice, UnixSeconds, UseLimit,
};
use serde::Deserialize;

use crate::answer::Failure;

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    AliceRequest {
        #[serde(with = "hex")]
        seed: [u8; 64],
        expires: Option<u64>,
        relay: Option<String>,
        policy: Option<PolicyIn>,
        introducer: Option<Hex16>,
    },
    AliceOffer {
        #[serde(with = "hex")]
        seed: [u8; 64],
        #[serde(with = "hex")]
        line_link: [u8; 16],
        expires: Option<u64>,
        relay: Option<String>,
        policy: Option<PolicyIn>,
        introducer: Option<Hex16>,
    },
    BobScan {
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
        now: u64,
    },
    Event {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
        now: u64,
        #[serde(with = "hex", default)]
        ad: Vec<u8>,
        #[serde(default)]
        knows: Knows,
    },
    Tell {
        told: Told,
        #[serde(with = "hex")]
        from: [u8; 16],
        outstanding: usize,
        now: u64,
    },
    SetPolicy {
        policy: PolicyIn,
    },
    Accept {
        now: u64,
    },
    Decline {},
    Introduce {
        name: String,
        expires: Option<u64>,
        #[serde(with = "hex")]
        seed: [u8; 64],
        now: u64,
    },
    Told {},
    Hear {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
        #[serde(with = "hex")]
        from: [u8; 16],
    },
    SealIntroduction {
        #[serde(with = "hex")]
        bytes: Vec<u8>,
    },
    Take {},
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
        now: u64,
    },
    Settle {},
    Commit {},
    Drop {},
    Unsent {},
    State {},
}

#[derive(Deserialize)]
#[serde(transparent)]
pub struct Hex16(#[serde(with = "hex")] pub [u8; 16]);

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProofOn {
    Inline,
    AlongTheLine,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyIn {
    uses: UsesIn,
    #[serde(default)]
    again: AgainIn,
    #[serde(default)]
    paused: bool,
    #[serde(default)]
    asks: bool,
    until: Option<u64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum UsesIn {
    UpTo(u32),
    Word(UsesWord),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum UsesWord {
    Once,
    Unlimited,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum AgainIn {
    #[default]
    Replace,
    Allow,
    Refuse,
}

/// What the driver's tables say of whoever comes.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Knows {
    #[serde(default)]
    standing: StandingIn,
    #[serde(default)]
    told: Vec<Told>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum StandingIn {
    #[default]
    Unknown,
    Blocked,
    Connected(Hex16),
}

/// A row of a ticket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    #[serde(with = "hex")]
    line_link: [u8; 16],
    #[serde(with = "hex")]
    ticket: [u8; 32],
    name: String,
    expires: Option<u64>,
}

impl Told {
    pub fn row(&self) -> Result<TicketNotice, Failure> {
        let (line_link, ticket) = (LineLink::from(self.line_link), TicketHash::from(self.ticket));
        Ok(TicketNotice {
            line_link,
            ticket,
            name: IntroducerName::new(&self.name)?,
            expires: self.expires.map(UnixSeconds),
        })
    }
}

impl Peers for Knows {
    /// Connected by the very line that comes: there is a record of it.
    fn has_line(&self, line_id: &LineId) -> bool {
        self.pair(&PairHash::from([0; 32])) == Relationship::Connected(*line_id)
    }

    fn pair(&self, _: &PairHash) -> Relationship {
        match self.standing {
            StandingIn::Unknown => Relationship::Unknown,
            StandingIn::Blocked => Relationship::Blocked,
            StandingIn::Connected(Hex16(line_id)) => Relationship::Connected(LineId::from(line_id)),
        }
    }

    fn ticket(&self, ticket: &TicketHash) -> Option<TicketNotice> {
        self.told.iter().filter_map(|told| told.row().ok()).find(|row| row.ticket == *ticket)
    }
}

pub fn offer(
    expires: Option<u64>,
    relay: Option<&str>,
    policy: Option<PolicyIn>,
    introducer: Option<Hex16>,
) -> Result<PortOptions, Failure> {
    let mut offer = PortOptions::new();
    if let Some(expires) = expires {
        offer = offer.expires(UnixSeconds(expires));
    }
    if let Some(relay) = relay {
        offer = offer.relay(RelayAddr::new(relay)?);
    }
    if let Some(policy) = policy {
        offer = offer.policy(policy.into());
    }
    if let Some(Hex16(line_id)) = introducer {
        offer = offer.introducer(line_id.into());
    }
    Ok(offer)
}

impl From<PolicyIn> for Policy {
    fn from(policy: PolicyIn) -> Self {
        let uses = match policy.uses {
            UsesIn::UpTo(n) => UseLimit::UpTo(n),
            UsesIn::Word(UsesWord::Once) => UseLimit::Once,
            UsesIn::Word(UsesWord::Unlimited) => UseLimit::Unlimited,
        };
        let again = match policy.again {
            AgainIn::Replace => OnRepeat::Replace,
            AgainIn::Allow => OnRepeat::Allow,
            AgainIn::Refuse => OnRepeat::Refuse,
        };
        let PolicyIn { paused, asks, until, .. } = policy;
        Self::once()
            .with_use_limit(uses)
            .on_repeat(again)
            .paused(paused)
            .require_approval(asks)
            .closes_at(until.map(UnixSeconds))
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
