//! `mantlet` as a person uses it: what is typed, what is read, what is left behind.

mod audit_file;
mod configuration;
mod crashes;
mod ends;
mod failures;
mod starts;
