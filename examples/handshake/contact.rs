//! What a client does with contact ports beside (§16): what is said of them, along a line.

use port_protocol::{
    Introducer, IntroducerMessage, IntroducerName, IntroducerPhase, LineId, LineLink, MAX_INTRODUCER_MESSAGE, Port,
    RecordKey, Rejected, SEAL_OVERHEAD, SealError, Seed,
};

use crate::client::Client;
use crate::machines::{Any, Stop, ToDo, advance, now};
use crate::store::{StoreError, Tables};

impl Client {
    /// Alice: whoever is at the far end of this line may introduce people to her.
    pub fn grant(&mut self, port: &Port, line_id: LineId) -> Result<(), Stop> {
        self.introduce(line_id, &IntroducerMessage::Grant { port: port.to_bytes().as_slice() })
    }

    /// Alice: and from now on no more. That takes effect at once, whether it is heard of or not.
    pub fn withdraw(&mut self, line_link: LineLink, line_id: LineId) -> Result<(), Stop> {
        self.revoke(line_link)?;
        self.introduce(line_id, &IntroducerMessage::Withdrawn { line_link })
    }

    /// Carol: a ticket for somebody. Its Port is shown once Alice was told.
    pub fn make_ticket(&mut self, with_alice: LineId, name: IntroducerName, seed: Seed) -> Result<(), Stop> {
        let mut introducer = self.introducer(with_alice)?;
        let to_do = self.store.transaction(|tables| advance(tables, introducer.introduce(name, None, seed, now())))?;
        self.act(to_do)
    }

    /// Carol: the packet that tells Alice of a ticket was sent. Only now there is something to hand over.
    pub fn told(&mut self, key: RecordKey) -> Result<(), Stop> {
        match self.load(key)? {
            Any::Introducer(mut introducer) if introducer.phase() == IntroducerPhase::Announcing => {
                let to_do = self.store.transaction(|tables| advance(tables, introducer.told()))?;
                self.act(to_do)
            }
            _ => Ok(()),
        }
    }

    pub fn introduce(&mut self, line_id: LineId, introduction: &IntroducerMessage<'_>) -> Result<(), Stop> {
        let mut line = self.line(line_id)?;
        let mut buffer = [0; MAX_INTRODUCER_MESSAGE + SEAL_OVERHEAD];
        let sealed = self.store.transaction(|tables| advance(tables, line.introduce(introduction, &mut buffer)));
        match (sealed, introduction) {
            // Nobody can be told any more.
            (Err(Stop::Seal(SealError::Closed)), IntroducerMessage::Ticket(_)) => {
                let mut introducer = self.introducer(line_id)?;
                let to_do = self.store.transaction(|tables| advance(tables, introducer.cancel()))?;
                self.act(to_do)
            }
            (sealed, _) => self.act(sealed?),
        }
    }

    pub fn introducer(&self, with_alice: LineId) -> Result<Introducer, Stop> {
        match self.load(RecordKey::Introducer(with_alice))? {
            Any::Introducer(introducer) => Ok(introducer),
            _ => Err(Rejected::WrongMachine.into()),
        }
    }
}

impl Tables {
    /// Something was said of a contact port, along this line. What is not to be taken leaves the line's step as it is.
    pub fn hear(&mut self, introduction: &IntroducerMessage<'_>, from: LineId) -> Result<Vec<ToDo>, Stop> {
        match introduction {
            IntroducerMessage::Grant { port } => match self.put(&Introducer::granted(port, from)?.row()) {
                // It came before.
                Ok(()) | Err(StoreError::Taken) => {}
                Err(error) => return Err(error.into()),
            },
            IntroducerMessage::Ticket(told) => {
                if let Ok(Any::Alice(alice)) = Any::load(self, RecordKey::LineLink(told.line_link))
                    && alice.tell(told, from, self.outstanding(told.line_link), now()).is_ok()
                {
                    self.tell(told.clone());
                }
            }
            IntroducerMessage::Withdrawn { .. } => {
                if let Ok(Any::Introducer(mut introducer)) = Any::load(self, RecordKey::Introducer(from))
                    && let Ok(step) = introducer.handle(introduction, from)
                {
                    return advance(self, Ok::<_, Stop>(step));
                }
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}
