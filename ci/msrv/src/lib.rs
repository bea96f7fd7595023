//! Empty: what is checked is the dependency.
#![no_std]
