//! Where a login leads: a place on this site, and nowhere else.

use mantlet_controls::message::is_of_this_site;

/// The longest place that is kept.
const MOST: usize = 2048;

/// The place that a request names, if it is a path of this site in every browser's reading.
///
/// It begins with one slash, and nothing in it lets a browser read a host: no second slash or backslash after the first one
/// (browsers read `\` as `/`), and no control character or white space anywhere (browsers take them out).
pub(crate) fn local(next: Option<&str>) -> Option<&str> {
    let next = next?;
    let is_plain = next.chars().all(|c| !c.is_control() && !c.is_whitespace());
    (next.len() <= MOST && is_of_this_site(next) && is_plain).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_to_no_other_site() {
        for good in ["/", "/orders?page=2#top", "/a//b", "/%5c%5cevil.example", "/?u=https://evil.example"] {
            assert_eq!(local(Some(good)), Some(good));
        }
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "https://evil.example",
            "orders",
            "/\t/evil.example",
            "/\n/evil.example",
            " /",
            "/ /evil.example",
            "javascript:alert(1)",
            "/\u{a0}/x",
        ] {
            assert_eq!(local(Some(bad)), None, "{bad:?}");
        }
        assert_eq!(local(None), None);
        assert_eq!(local(Some(&format!("/{}", "a".repeat(MOST)))), None);
    }
}
