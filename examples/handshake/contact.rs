//! How a client handles contact ports (§16): the messages that Alice and its introducer send along their line.

use port_protocol::{
    Alice, Introducer, IntroducerMessage, IntroducerName, Line, LineId, LineLink, Port, RecordKey, SealError, Seed,
    UnixSeconds,
};

use crate::client::Client;
use crate::machines::{Stop, advance};
use crate::store::Tables;

impl Client {
    /// Alice: the contact at the far end of this line may introduce people to Alice.
    pub fn grant(&mut self, port: &Port, line_id: LineId) -> Result<(), Stop> {
        let port = port.to_bytes();
        let grant = IntroducerMessage::Grant { port: port.as_slice() };
        self.store.transaction(|tables| tables.say_of_port(line_id, &grant))
    }

    /// Alice: from now on the contact may introduce nobody. That takes effect at once, whether the contact hears of it or not.
    pub fn withdraw(&mut self, line_link: LineLink, line_id: LineId) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            tables.revoke(line_link)?;
            tables.say_of_port(line_id, &IntroducerMessage::Withdrawn { line_link })
        })
    }

    /// Carol: a ticket for somebody. Its Port is shown once Alice was told.
    pub fn make_ticket(&mut self, with_alice: LineId, name: IntroducerName, seed: Seed) -> Result<(), Stop> {
        self.store.transaction(|tables| {
            let mut introducer: Introducer = tables.load(RecordKey::Introducer(with_alice))?;
            advance(tables, introducer.introduce(name, None, seed, UnixSeconds::now()))
        })
    }

    pub fn introducer(&self, with_alice: LineId) -> Result<Introducer, Stop> {
        self.store.tables.load(RecordKey::Introducer(with_alice))
    }
}

impl Tables {
    pub fn say_of_port(&mut self, line_id: LineId, message: &IntroducerMessage<'_>) -> Result<(), Stop> {
        let mut line: Line = self.load(RecordKey::Line(line_id))?;
        match (advance(self, line.seal_introducer_message(message, &mut Vec::new())), message) {
            // Nobody can be told of a ticket any more.
            (Err(Stop::Seal(SealError::Closed)), IntroducerMessage::Ticket(_)) => {
                let mut introducer: Introducer = self.load(RecordKey::Introducer(line_id))?;
                advance(self, introducer.cancel())
            }
            (said, _) => said,
        }
    }

    /// Something was said of a contact port, along this line. What this client does not take leaves the line's step as it is.
    pub fn hear(&mut self, message: &IntroducerMessage<'_>, from: LineId) -> Result<(), Stop> {
        match message {
            // If there is one, it came before.
            IntroducerMessage::Grant { port } if self.role(RecordKey::Introducer(from)).is_err() => {
                Introducer::granted(port, from)?.store(|write| self.keep(write)).map(drop)
            }
            IntroducerMessage::Ticket(notice) => {
                if let Ok(alice) = self.load::<Alice>(RecordKey::LineLink(notice.line_link))
                    && alice.accept_ticket(notice, from, self.outstanding(notice.line_link), UnixSeconds::now()).is_ok()
                {
                    self.keep_ticket(notice);
                }
                Ok(())
            }
            IntroducerMessage::Withdrawn { .. } => {
                if let Ok(mut introducer) = self.load::<Introducer>(RecordKey::Introducer(from))
                    && let Ok(step) = introducer.handle(message, from)
                {
                    advance(self, Ok::<_, Stop>(step))?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}
