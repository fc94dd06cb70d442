//! `Vary`: the request headers that a response depends on.

use http::{HeaderMap, HeaderValue, header};

/// Adds this header, in lower case, to those that the response depends on, unless it is there
/// already.
pub(crate) fn add(answer: &mut HeaderMap, name: &'static str) {
    let says_so = answer.get_all(header::VARY).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|known| {
            let known = known.trim_ascii();
            known == b"*" || known.eq_ignore_ascii_case(name.as_bytes())
        })
    });
    if !says_so {
        answer.append(header::VARY, HeaderValue::from_static(name));
    }
}
