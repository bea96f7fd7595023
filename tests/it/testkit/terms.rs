//! Contact ports on terms (§14.1, §16).

use super::*;
