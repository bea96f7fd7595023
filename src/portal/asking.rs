//! Asking: what a caller keeps in memory of one peer: its end of the session, and what the peer may forget (§18.7).

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::memory::MAX_TAKEN;
use super::request::RequestMark;
use super::session::CallerSession;

/// How many ids are kept: also of requests that were refused, or that nobody asked about again.
const MAX_ASKED: usize = 256;

/// The caller's end of the session with one peer, in memory only.
#[derive(Default)]
pub(super) struct Asking {
    pub(super) session: Option<Box<CallerSession>>,
    /// Ids that were drawn here, and not asked under yet.
    drawn: Vec<RequestMark>,
    /// Of those, what was asked once, and in an Exchange. What was asked twice, or in an Opening, may still be on its way when the peer has
    /// forgotten it, and would be delivered again.
    once: Vec<RequestMark>,
    /// What the peer may forget, and was not told yet.
    pub(super) done: Vec<RequestMark>,
}

impl Asking {
    /// Notes that an id was drawn.
    pub(super) fn drew(&mut self, nonce: RequestMark) {
        push(&mut self.drawn, nonce, MAX_ASKED);
    }

    /// Notes that a request goes out.
    pub(super) fn asked(&mut self, nonce: RequestMark, is_exchange: bool) {
        let is_first = remove(&mut self.drawn, nonce);
        remove(&mut self.once, nonce);
        remove(&mut self.done, nonce);
        if is_first && is_exchange {
            push(&mut self.once, nonce, MAX_ASKED);
        }
    }

    /// Notes that the app has the answer.
    pub(super) fn answered(&mut self, nonce: RequestMark) {
        if remove(&mut self.once, nonce) {
            push(&mut self.done, nonce, MAX_TAKEN);
        }
    }
}

/// The oldest makes room: what is in no list is never named as done, and the peer forgets it by time.
fn push(to: &mut Vec<RequestMark>, nonce: RequestMark, max: usize) {
    if to.len() >= max {
        to.drain(..1);
    }
    to.push(nonce);
}

/// Removes it, and says whether it was there. There are few.
fn remove(from: &mut Vec<RequestMark>, nonce: RequestMark) -> bool {
    let at = from.iter().position(|known| *known == nonce);
    at.map(|at| from.remove(at)).is_some()
}
