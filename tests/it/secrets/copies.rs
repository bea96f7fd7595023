//! R8.1, R8.5, R8.7: no machine forks, no seed is used twice, no secret is copied unseen.

use port_protocol::*;

/// Does not compile if a type has the trait.
macro_rules! is_not {
    ($trait:ident: $($type:ty),* $(,)?) => {
        $(const _: fn() = || {
            trait AmbiguousIfItIs<A> {
                fn check() {}
            }
            impl<T: ?Sized> AmbiguousIfItIs<()> for T {}
            struct ItIs;
            impl<T: ?Sized + $trait> AmbiguousIfItIs<ItIs> for T {}
            <$type as AmbiguousIfItIs<_>>::check();
        };)*
    };
}

is_not!(Copy: Alice, Bob, Line, Pool, Created<Alice>, Seed, Record, Secret<32>, Rad, Port, Ticket, TicketNotice, PortBytes, QrText, PortLink<'static>, SafetyNumber);
is_not!(Clone: Alice, Bob, Line, Pool, Created<Alice>, Created<Bob>, Created<Pool>, Step<'static, Alice>, Seed, Record, PortBytes, QrText, PortLink<'static>);
