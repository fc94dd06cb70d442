//! File names that an app may use as a path.

/// Bytes that a file name may have; file systems allow no more.
const LONGEST: usize = 255;

/// What is wrong with a file name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameFault {
    /// No honest client sends it: it leaves its folder.
    Dangerous(&'static str),
    /// Directory uploads and old clients send it.
    Unusual(&'static str),
}

/// Checks a name as the app gets it. Escapes of browsers (`%22`, `%0D%0A`) are plain text.
pub(super) fn fault(name: &[u8]) -> Option<NameFault> {
    use NameFault::{Dangerous, Unusual};
    let is_separator = |byte: &u8| matches!(byte, b'/' | b'\\');
    if name.split(is_separator).any(|component| component == b"..") {
        return Some(Dangerous("`..` in a file name"));
    }
    if name.iter().any(is_separator) {
        return Some(Unusual("a path as a file name"));
    }
    if name.len() > LONGEST {
        return Some(Unusual("a long file name"));
    }
    let text = String::from_utf8_lossy(name);
    // A name that changes its text direction displays another ending than it has.
    let turns =
        |char| matches!(char, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(|char| char.is_control() || turns(char)) {
        return Some(Unusual("a control character in a file name"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let long = "é".repeat(128);
        for (name, dangerous) in [
            ("x.png", None),
            ("", None),
            ("größe 名前 (1).tar.gz", None),
            ("a%22b%0D%0A.txt", None),
            ("..x", None),
            ("x..", None),
            ("it's \"x\".png", None),
            ("dir/x.png", Some(false)),
            ("/home/ann/x.png", Some(false)),
            ("a\\x.png", Some(false)),
            ("x\u{202E}gnp.exe", Some(false)),
            ("a\tb", Some(false)),
            (&long, Some(false)),
            ("../x", Some(true)),
            ("..", Some(true)),
            ("a/../x", Some(true)),
            ("..\\x", Some(true)),
        ] {
            let found = fault(name.as_bytes()).map(|fault| matches!(fault, NameFault::Dangerous(_)));
            assert_eq!(found, dangerous, "{name}");
        }
    }
}
