//! Chapter 18: Portals.

mod id;
