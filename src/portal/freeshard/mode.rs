//! The two modes (§19.7).

/// How strict a Portal is with others (§19.7). The module's page compares the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// As strict as can be without changing the wire. What is in doubt is refused.
    #[default]
    Strict,
    /// As the real system is.
    AsBuilt,
}
