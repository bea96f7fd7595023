//! Pools in the kit's worlds (§15).

use super::*;
