//! `mantlet` as a person uses it: what is typed, what is read, what is left behind.

mod audit_file;
mod configuration;
mod crashes;
mod ends;
mod environment;
mod failures;
mod leaving;
mod output;
mod serving;
mod starts;
mod state;
mod terminal;
