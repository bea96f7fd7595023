//! Portals (docs/portal.md).

mod manifest;
mod path;
