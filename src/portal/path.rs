//! Paths, canonical before they are matched.
