//! What an app serves, and to whom.
