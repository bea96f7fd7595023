//! What is said, sent and heard: each message comes from the other end, once, and is not lost.

use alloc::vec::Vec;

use chacha20::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{Violation, Witness};
use crate::testkit::app::App;
use crate::{
    Admission, Event, IntroducerMessage, Line, LineId, LinePhase, Machine, Payload, Received, RecordKey, Request,
    UnixSeconds,
};

/// What was in a packet.
enum Opened {
    Message(Vec<u8>),
    /// Its bytes.
    Introducer(Vec<u8>),
}

impl Witness {
    pub(in super::super) fn says(&mut self, who: usize, line_id: LineId, text: &[u8]) {
        self.said.insert(text.to_vec(), (who, line_id));
    }

    pub(in super::super) fn sends(&mut self, who: usize, bytes: &[u8]) -> Result<(), Violation> {
        let request = Request::decode(bytes).map_err(|_| Violation::BadRequest(who))?;
        if self.holds_secret(bytes) {
            return Err(Violation::Secret(who));
        }
        if let Request::SetLineLink { line_link, admits, .. } = request {
            if admits == Admission::Nobody {
                self.shut.insert(line_link)
            } else {
                self.shut.remove(&line_link)
            };
        }
        let Request::Packet { line_id, payload } = request else { return Ok(()) };
        if !self.lines.contains_key(&(who, line_id)) {
            return Err(Violation::SentBeforeStored(who));
        }
        if let Ok(Payload::Sealed { nonce, .. }) = Payload::decode(payload)
            && self.packets.entry((who, line_id, nonce)).or_insert_with(|| payload.to_vec()) != payload
            && !self.rolled_back.contains(&who)
        {
            return Err(Violation::CounterTwice(who));
        }
        Ok(())
    }

    pub(in super::super) fn hears(&mut self, who: usize, line_id: LineId, text: &[u8]) -> Result<(), Violation> {
        let said = self.said.get(text);
        let other = self.other_end(who, line_id).map(|(who, line_id, _)| (who, line_id));
        if said.is_none() || said.copied() != other {
            return Err(Violation::HeardUnsaid(who));
        }
        if !self.heard.insert((who, text.to_vec())) && !self.rolled_back.contains(&who) {
            return Err(Violation::HeardTwice(who));
        }
        Ok(())
    }

    /// The client has acknowledged this event. If it is a packet with a message, the message must have been shown, or be in the inbox. One
    /// about a contact port must have done what it says.
    pub(in super::super) fn acknowledges(&mut self, who: usize, event: &[u8], app: &impl App) -> Result<(), Violation> {
        let Ok(event @ Event::Packet { line_id, .. }) = Event::decode(event) else { return Ok(()) };
        let data = app.associated_data(&event);
        let text = match self.message_in(who, line_id, &event, &data) {
            Some(Opened::Message(text)) => text,
            Some(Opened::Introducer(said)) => {
                return IntroducerMessage::decode(&said).map_or(Ok(()), |said| self.has_done(who, line_id, &said, app));
            }
            None => return Ok(()),
        };
        if self.heard.contains(&(who, text.clone())) || self.may_lose(who, &text) {
            return Ok(());
        }
        if !app.inbox().contains(&(line_id, text.clone())) {
            return Err(Violation::MessageLost(who));
        }
        self.unseen.insert((who, text));
        Ok(())
    }

    /// After every client has started again: each message that was kept has been shown.
    pub(in super::super) fn finds_lost_messages(&self) -> Result<(), Violation> {
        let is_lost =
            |message: &&(usize, Vec<u8>)| !self.heard.contains(*message) && !self.may_lose(message.0, &message.1);
        self.unseen.iter().find(is_lost).map_or(Ok(()), |(who, _)| Err(Violation::MessageLost(*who)))
    }

    /// A client that was rolled back has lost what came since, and so has one whose other end was: that end has forgotten how much it
    /// said early (§14.7).
    fn may_lose(&self, who: usize, text: &[u8]) -> bool {
        let speaker = self.said.get(text).map(|(speaker, _)| *speaker);
        [Some(who), speaker].into_iter().flatten().any(|who| self.rolled_back.contains(&who))
    }

    /// The message in this packet, if this client's line can open it, or could before the packet came. `None` on a line that is over, or
    /// that waits for approval: nobody need hear it any more, or yet.
    fn message_in(&self, who: usize, line_id: LineId, event: &Event<'_>, data: &[u8]) -> Option<Opened> {
        let now = self.records.get(&(who, RecordKey::Line(line_id)))?;
        // Alice deletes the key of what Bob said early once all of that has come.
        let before = self.early.get(&(who, line_id));
        Line::restore(now).ok().filter(|line| line.phase() != LinePhase::Closed)?;
        [Some(now), before].into_iter().flatten().find_map(|record| overhears(record, event, data, self.now))
    }

    pub(super) fn holds_secret(&self, bytes: &[u8]) -> bool {
        bytes.windows(16).any(|window| window.try_into().is_ok_and(|window: [u8; 16]| self.secrets.contains(&window)))
    }
}

/// Opens a packet with the keys of this line's record, even if the line has taken it before.
fn overhears(record: &[u8], event: &Event<'_>, data: &[u8], now: UnixSeconds) -> Option<Opened> {
    let mut line = Line::restore(record).ok()?.with_nothing_taken();
    // No key is made of it.
    let (mut buffer, mut rng) = (Vec::new(), ChaCha8Rng::seed_from_u64(0));
    let step = line.handle_with_aad(event, data, &mut buffer, now, &mut rng).ok()?;
    match step.write().received {
        Some(Received::Message(text)) => Some(Opened::Message(text.to_vec())),
        Some(Received::Introducer(said)) => Some(Opened::Introducer(said.to_vec())),
        None => None,
    }
}
