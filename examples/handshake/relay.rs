//! The relay: the crate's own, with its tables in memory, and the post around it. It knows its users by ids that nobody can guess, and
//! nothing of what they say. Bytes come in and bytes go out, as on a real wire.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;

use getrandom::SysRng;
use port_protocol::UnixSeconds;
use port_protocol::rand_core::{Rng, UnwrapErr};
use port_protocol::relay::{Limits, MarkKey, Memory, Relay, RelayError, UserId};

/// A user, as the relay authenticated it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum User {
    Alice,
    Bob,
    Carol,
    Dora,
    Mallory,
    /// One Bob of many.
    Nth(u32),
}

pub struct Network {
    relay: Relay<Memory>,
    accounts: Vec<Account>,
    /// What is on its way to the users, in order.
    pub post: VecDeque<Parcel>,
}

struct Account {
    user: User,
    id: UserId,
    /// The last delivery that is on its way.
    sent: u64,
}

pub struct Parcel {
    pub to: User,
    pub event: Vec<u8>,
    /// What to acknowledge: nothing, if it is a reply.
    sequence: Option<u64>,
}

impl Network {
    pub fn new() -> Self {
        let marks = MarkKey::draw(&mut UnwrapErr(SysRng));
        let relay = Relay::new(Memory::new(), Limits::default(), marks);
        Self { relay, accounts: Vec::new(), post: VecDeque::new() }
    }

    /// Takes one request of an authenticated user. The reply goes back to that user, and each user for whom something new waits is sent it.
    pub fn take(&mut self, from: User, request: &[u8]) -> Result<(), RelayError<Infallible>> {
        let id = self.id(from);
        let response = self.relay.handle(id, request, &mut UnwrapErr(SysRng), UnixSeconds::now())?;
        let reply = response.reply.map(|event| Parcel { to: from, event: event.to_vec(), sequence: None });
        self.post.extend(reply);
        for account in self.accounts.iter_mut().filter(|account| response.notify.contains(&Some(account.id))) {
            while let Some(delivery) = self.relay.next(account.id, account.sent).map_err(RelayError::Directory)? {
                account.sent = delivery.sequence;
                let (to, event) = (account.user, delivery.event.to_vec());
                self.post.push_back(Parcel { to, event, sequence: Some(delivery.sequence) });
            }
        }
        Ok(())
    }

    /// The client has kept what came of it.
    pub fn acknowledge(&mut self, parcel: &Parcel) -> Result<(), Infallible> {
        let id = self.id(parcel.to);
        parcel.sequence.map_or(Ok(()), |sequence| self.relay.acknowledge(id, sequence))
    }

    /// A user who comes for the first time gets an account.
    fn id(&mut self, user: User) -> UserId {
        if let Some(account) = self.accounts.iter().find(|account| account.user == user) {
            return account.id;
        }
        let mut id = [0; 32];
        UnwrapErr(SysRng).fill_bytes(&mut id);
        self.accounts.push(Account { user, id: id.into(), sent: 0 });
        id.into()
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Alice => "Alice",
            Self::Bob => "Bob",
            Self::Carol => "Carol",
            Self::Dora => "Dora",
            Self::Mallory => "Mallory",
            Self::Nth(n) => return f.pad(&format!("Bob {n}")),
        })
    }
}
