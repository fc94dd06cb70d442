//! `Vary`: what of a request an answer depends on.

use http::{HeaderMap, HeaderValue, header};

/// Says that the answer depends on this header, in lower case, unless the app has said so already.
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
