//! The errors that come from no machine's step.

use super::*;

pub(super) fn read(see: &mut Shown) {
    for error in [
        SealError::NotJoined,
        SealError::Closed,
        SealError::TooLong,
        SealError::AssociatedDataTooLong,
        SealError::Exhausted,
    ] {
        see.read("", &error);
    }
    see.read("", &DecodeError::Malformed);
    see.read("", &DecodeError::UnsupportedVersion);
    see.read("", &BufferTooSmall);
    for error in [
        PortError::Malformed,
        PortError::Damaged,
        PortError::UnsupportedVersion,
        PortError::UnsupportedKind,
        PortError::WeakPublicKey,
        PortError::BadRelayAddr,
        PortError::BadLinkBase,
    ] {
        see.read("", &error);
    }
    for error in [
        FindError::NoPort,
        FindError::CutOff,
        FindError::Rewritten,
        FindError::Damaged,
        FindError::MoreThanOne,
        FindError::WrongVersion,
        FindError::PortalCard,
    ] {
        see.read("", &error);
    }
    for error in [RestoreError::Malformed, RestoreError::UnsupportedVersion, RestoreError::AnotherRole] {
        see.read("", &error);
    }
}
