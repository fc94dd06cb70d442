//! Signed tokens (JWS, RFC 7515; JWT, RFC 7519) and their keys (JWK, RFC 7517): facts that several controls need.
//!
//! A token is read strictly: three parts in base64url without padding, JSON without a repeated name,
//! an algorithm that is not `none`, no `crit`. Keys inside a token (`jwk`, `jku`, `x5u`, `x5c`) are
//! never looked at; only a proof (RFC 9449) brings its own. A key says which algorithms it takes; so a
//! public key is never a secret.

mod candidate;
mod claims;
mod fault;
mod jws;
mod key;

pub use self::{
    candidate::{Candidate, Candidates},
    claims::{Audience, Claims},
    fault::TokenFault,
    jws::{Jws, LONGEST},
    key::{Algorithm, Key, KeySet},
};
pub(crate) use self::{claims::unverified, jws::has_its_form};

#[cfg(test)]
mod tests;
