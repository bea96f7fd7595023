//! A commit without a store.

use port_protocol::*;

/// For a test that keeps nothing: the write is held, and that is all.
pub trait Commit {
    type Committed;
    fn committed(self) -> Self::Committed;
}

impl<'m, M: Machine> Commit for Step<'m, M> {
    type Committed = Effects<'m, M>;

    fn committed(self) -> Effects<'m, M> {
        let written = self.write();
        self.commit(written)
    }
}

impl<M: Machine> Commit for Created<M> {
    type Committed = M;

    fn committed(self) -> M {
        let written = self.write();
        self.commit(written)
    }
}
