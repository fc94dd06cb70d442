use super::{CanonicalPath, Policy, Readers, Reason};
use crate::Mode;

#[test]
fn rows_35_to_44_paths_have_one_reading_or_none() {
    use Reason as R;
    for (path, expected) in [
        ("/", Ok("/")),
        ("/items/7", Ok("/items/7")),
        ("/items/", Ok("/items/")),
        ("/ADMIN", Ok("/ADMIN")),
        ("/a//b", Ok("/a//b")),
        ("/...", Ok("/...")),
        ("/.well-known/x", Ok("/.well-known/x")),
        ("/a..b", Ok("/a..b")),
        ("/caf%c3%a9", Ok("/café")),
        ("/%61dmin", Ok("/admin")),
        ("/a%2Fb", Ok("/a/b")),
        ("/100%25", Ok("/100%")),
        ("/a%3Bb", Ok("/a;b")),
        ("/%ef%bc%a1", Ok("/Ａ")),
        ("/wait%E2%80%A6", Ok("/wait…")),
        ("/a/../admin", Err(R::PathDotSegment)),
        ("/a/..", Err(R::PathDotSegment)),
        ("/./a", Err(R::PathDotSegment)),
        ("/a/%2e%2e%2fadmin", Err(R::PathDotSegment)),
        ("/a/%2E./admin", Err(R::PathDotSegment)),
        ("/..%2fadmin", Err(R::PathDotSegment)),
        ("/%252e%252e/admin", Err(R::PathDoubleEncoded)),
        ("/a%252fb", Err(R::PathDoubleEncoded)),
        ("/a%25252f", Err(R::PathDoubleEncoded)),
        ("/a%2500", Err(R::PathDoubleEncoded)),
        ("//admin", Err(R::PathEmptySegment)),
        ("/%2fadmin", Err(R::PathEmptySegment)),
        ("/admin;x", Err(R::PathParameter)),
        ("/%c0%ae%c0%ae/admin", Err(R::PathEncoding)),
        ("/%ff", Err(R::PathEncoding)),
        ("/%ed%a0%80", Err(R::PathEncoding)),
        ("/%", Err(R::PathEncoding)),
        ("/%4", Err(R::PathEncoding)),
        ("/%zz", Err(R::PathEncoding)),
        ("/%+1", Err(R::PathEncoding)),
        ("/a%00", Err(R::PathControlCharacter)),
        ("/a%0d%0a", Err(R::PathControlCharacter)),
        ("/a%7f", Err(R::PathControlCharacter)),
        ("/a\\b", Err(R::PathBackslash)),
        ("/a%5c..%5cb", Err(R::PathBackslash)),
        ("/%ef%bc%8e%ef%bc%8e/admin", Err(R::PathLookalike)),
        ("/a%ef%bc%8fadmin", Err(R::PathLookalike)),
        ("*", Err(R::PathEncoding)),
    ] {
        let judged = CanonicalPath::new(path, false);
        assert_eq!(judged.as_ref().map(CanonicalPath::as_str).map_err(|r| *r), expected, "{path}");
    }
}

#[test]
fn what_is_sent_decodes_to_what_was_judged() {
    for (uri, target) in [
        ("/%61dmin?next=%61", "/admin?next=%61"),
        ("/a%2fb", "/a%2Fb"),
        ("/caf%c3%a9?x", "/caf%C3%A9?x"),
        ("/plain?q=1", "/plain?q=1"),
    ] {
        let uri: http::Uri = uri.parse().unwrap();
        let path = CanonicalPath::of(&uri, &Policy::default()).unwrap();
        assert_eq!(path.target(&uri).unwrap().as_str(), target);
    }
}

const UVICORN: Policy =
    Policy { mode: Mode::Enforce, semicolons: false, roots: None, readers: Readers::Uvicorn, strict: false };

/// What uvicorn and Starlette read in one way only is data, and reaches the app as it came.
#[test]
fn rows_35_to_44_behind_uvicorn_what_is_data_passes_unchanged() {
    use Reason as R;
    for (path, expected) in [
        ("/", Ok("/")),
        ("/%61dmin", Ok("/admin")),
        ("/a%2Fb", Ok("/a/b")),
        ("/a//b", Ok("/a//b")),
        ("//a", Ok("//a")),
        ("/52.5;13.4", Ok("/52.5;13.4")),
        ("/DOMAIN%5Cuser", Ok("/DOMAIN\\user")),
        ("/a\\b", Ok("/a\\b")),
        ("/two%0Alines", Ok("/two\nlines")),
        ("/two%0D%0Alines%09", Ok("/two\r\nlines\t")),
        ("/caf%E9", Ok("/caf\u{fffd}")),
        ("/%ed%a0%80", Ok("/\u{fffd}\u{fffd}\u{fffd}")),
        ("/%F0%9F%98", Ok("/\u{fffd}")),
        ("/100%", Ok("/100%")),
        ("/%4", Ok("/%4")),
        ("/%zz%41", Ok("/%zzA")),
        ("/100%2525", Ok("/100%25")),
        ("/a%252Fb", Ok("/a%2Fb")),
        ("/a%25252Fb", Ok("/a%252Fb")),
        ("/1%E2%A7%B82", Ok("/1\u{29f8}2")),
        ("/%ef%bc%8f", Ok("/\u{ff0f}")),
        ("/a%7f", Ok("/a\u{7f}")),
        ("/~user", Ok("/~user")),
        ("/...", Ok("/...")),
        ("/a..b", Ok("/a..b")),
        ("/a%00", Err(R::PathControlCharacter)),
        ("/admin%0A", Err(R::PathControlCharacter)),
        ("/admin%0D%0a", Err(R::PathControlCharacter)),
        ("/a/../admin", Err(R::PathDotSegment)),
        ("/a/%2e%2e%2fadmin", Err(R::PathDotSegment)),
        ("/a;/../b", Err(R::PathDotSegment)),
        ("/%252e%252e/admin", Err(R::PathDoubleEncoded)),
        ("/a/..%252fadmin", Err(R::PathDoubleEncoded)),
        ("/a/%25252e%25252e", Err(R::PathDoubleEncoded)),
        ("/a%255c..%255cb", Err(R::PathDoubleEncoded)),
        ("/a%5c..%5cb", Err(R::PathBackslash)),
        ("/%ef%bc%8e%ef%bc%8e/admin", Err(R::PathLookalike)),
        ("/a%ef%bc%8f..%ef%bc%8fadmin", Err(R::PathLookalike)),
        ("*", Err(R::PathEncoding)),
    ] {
        // Some of these are more than a `Uri` is needed for.
        let judged = super::uvicorn::judge(path).map(|decoded| decoded.unwrap_or_else(|| path.to_owned()));
        assert_eq!(judged.as_deref().map_err(|reason| *reason), expected, "{path}");
    }
    for target in ["/%61dmin?next=%61", "/a%2fb", "/caf%E9;x?%zz", "//x?y"] {
        let uri: http::Uri = target.parse().unwrap();
        let path = CanonicalPath::of(&uri, &UVICORN).unwrap();
        assert_eq!(path.target(&uri).unwrap().as_str(), target, "byte for byte");
    }
}

/// Report mode changes nothing, and everything else is judged by what the app will read.
#[test]
fn report_mode_sends_what_came() {
    let policy = Policy { mode: Mode::Report, ..Policy::default() };
    let uri: http::Uri = "/%61dmin%2f?x=%61".parse().unwrap();
    let path = CanonicalPath::of(&uri, &policy).unwrap();
    assert_eq!((path.as_str(), path.target(&uri).unwrap().as_str()), ("/admin/", "/%61dmin%2f?x=%61"));
    let refused: http::Uri = "/%61dmin;x".parse().unwrap();
    assert_eq!(CanonicalPath::of(&refused, &policy), Err(Reason::PathParameter));
    assert_eq!(CanonicalPath::unjudged(&refused, &policy).as_str(), "/admin;x");
}
