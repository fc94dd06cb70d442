//! A token in compact form, read strictly.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use mantlet_contract::json::{Item, Json, Kind, Limits, parse};

use super::{Algorithm, Key, TokenFault};

/// The longest token that is read, in bytes. A head of a request has 16 KiB by default, too.
pub const LONGEST: usize = 16 << 10;

/// A token whose form is right. Its signature is not verified yet.
#[derive(Debug)]
pub struct Jws<'t> {
    /// Header and payload, as they are signed.
    signed: &'t str,
    signature: &'t str,
    pub(super) payload: Vec<u8>,
    /// What it is signed with. None: `none`, or an algorithm that is not known.
    pub algorithm: Option<Algorithm>,
    /// Its algorithm is `none`.
    pub is_unsigned: bool,
    /// The name of its key.
    pub key_id: Option<Box<str>>,
    /// Its `typ`, in lower case and without `application/`.
    pub kind: Option<Box<str>>,
}

/// Whether a text has the form of a token: three parts, the first of which begins as JSON does.
pub(crate) fn has_its_form(text: &str) -> bool {
    text.starts_with("ey") && text.bytes().filter(|byte| *byte == b'.').count() == 2
}

impl<'t> Jws<'t> {
    /// Reads the form and the header.
    pub fn read(token: &'t str) -> Result<Self, TokenFault> {
        if token.len() > LONGEST {
            return Err(TokenFault::TooLong);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        if payload.contains('.') {
            return Err(TokenFault::Malformed);
        }
        let header = decoded(header)?;
        let header = strict(&header)?;
        let Kind::Object(members) = header.root().kind() else { return Err(TokenFault::Malformed) };
        let (mut algorithm, mut key_id, mut kind) = (None, None, None);
        let (mut has_algorithm, mut is_unsigned) = (false, false);
        for member in members {
            match member.key {
                Some("alg") => {
                    has_algorithm = true;
                    algorithm = Algorithm::named(text(member.value)?);
                    is_unsigned = text(member.value)?.eq_ignore_ascii_case("none");
                }
                Some("kid") => key_id = Some(text(member.value)?.into()),
                Some("typ") => {
                    let name = text(member.value)?.to_ascii_lowercase();
                    kind = Some(name.strip_prefix("application/").unwrap_or(&name).into());
                }
                // RFC 7515 section 4.1.11: an extension that is not understood makes a token invalid.
                // RFC 7797: so does a payload that is not encoded.
                Some("crit" | "b64") => return Err(TokenFault::Critical),
                Some("zip" | "enc") | None => return Err(TokenFault::Malformed),
                Some(_) => {}
            }
        }
        if !has_algorithm {
            return Err(TokenFault::Malformed);
        }
        // Signed or not, a payload that is not base64url is not read in one way only.
        Ok(Self { signed, signature, payload: decoded(payload)?, algorithm, is_unsigned, key_id, kind })
    }

    /// The key in the header of a proof (RFC 9449 section 4.2), which only the proof itself is verified
    /// with. A token does not choose its own key.
    pub(crate) fn key_of_proof(&self) -> Option<serde_json::Value> {
        let header = decoded(self.signed.split('.').next()?).ok()?;
        let header: serde_json::Map<_, _> = serde_json::from_slice(&header).ok()?;
        header.get("jwk").cloned()
    }

    /// Its `iss`, which nothing has verified yet: it only chooses the key.
    pub(crate) fn unverified_issuer(&self) -> Option<String> {
        issuer_in(&self.payload)
    }

    /// The same for a token whose header is not understood.
    pub(crate) fn issuer_of_payload(token: &str) -> Option<String> {
        issuer_in(&decoded(token.split('.').nth(1)?).ok()?)
    }

    /// Whether a key verifies it.
    pub fn verify(&self, key: &Key) -> Result<(), TokenFault> {
        let algorithm = self.algorithm.filter(|own| key.takes(*own)).ok_or(TokenFault::Algorithm)?;
        if key.verifies(algorithm, self.signed.as_bytes(), self.signature) {
            Ok(())
        } else {
            Err(TokenFault::Signature)
        }
    }
}

fn issuer_in(payload: &[u8]) -> Option<String> {
    let claims = strict(payload).ok()?;
    let Kind::Object(mut members) = claims.root().kind() else { return None };
    let found = members.find(|member| member.key == Some("iss"))?;
    text(found.value).ok().map(str::to_owned)
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)
}

/// JSON with one meaning only.
pub(super) fn strict(text: &[u8]) -> Result<Json<'_>, TokenFault> {
    let json = parse(text, Limits::default()).map_err(|_| TokenFault::Malformed)?;
    if json.odd().is_nothing() { Ok(json) } else { Err(TokenFault::Malformed) }
}

pub(super) fn text(item: Item<'_>) -> Result<&str, TokenFault> {
    match item.kind() {
        Kind::Text(text) => Ok(text),
        _ => Err(TokenFault::Malformed),
    }
}
