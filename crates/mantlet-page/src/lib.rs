//! The operator's page: what a running gate does, as views that a person reads, and who may see them.
//!
//! The crate turns facts into HTML and judges the requests of a browser. It opens no socket and no file: a
//! [`Source`] brings the facts and carries out acts, and a server hands requests to [`Page::respond`].
//!
//! A request passes if
//! 1. its `Host` is a name of this machine, so that no name of an attacker that leads here is one (DNS rebinding);
//! 2. it does not come from a page elsewhere: `Origin` and `Sec-Fetch-Site` say so;
//! 3. it has the cookie of a session, which a one-time address was exchanged for;
//! 4. if it changes something: its `Origin` is this page, and its form has the token of the session.
//!
//! Browsers send cookies to all ports of a host. So everything lies below a path that cannot be guessed, and the
//! cookie is for that path alone: another server on this machine is not sent it.
//!
//! To mind: the page is for the loopback address. It has no TLS of its own.

mod answer;
mod chart;
mod doors;
mod figures;
mod frame;
mod guard;
mod page;
mod reasons;
mod remedies;
mod source;
mod text;
mod traffic;
mod views;

pub use self::{
    page::Page,
    source::{Proven, Search, Source, Tampering, Verified},
};

#[cfg(test)]
mod rooms_tests;
