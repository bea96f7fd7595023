//! Port (§2).

use super::*;
