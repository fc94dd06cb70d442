//! The clients' shore: connections, from their first byte to their last.

pub(crate) mod accept;
pub(crate) mod admission;
mod connection;
mod response_body;
