//! Whether a request comes from the operator's own browser, and from this page.

use http::{HeaderMap, Method, StatusCode, header, request::Parts};

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) status: StatusCode,
    pub(crate) why: &'static str,
}

impl Refused {
    pub(crate) const NO_SESSION: Self = Self {
        status: StatusCode::FORBIDDEN,
        why: "this page opens with an address that is good once, for a minute. Press Enter where `mantlet open` runs: it prints one",
    };
    pub(crate) const NO_TICKET: Self = Self {
        status: StatusCode::FORBIDDEN,
        why: "this address was used, or its minute is over. Press Enter where `mantlet open` runs: it prints another. If you have not used it yourself, end `mantlet open`: someone else on this machine may have",
    };
    pub(crate) const NO_FORM: Self = Self {
        status: StatusCode::FORBIDDEN,
        why: "the form is not one of this session: reload the page, and try again",
    };
    pub(crate) const TOO_LARGE: Self =
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, why: "the form is larger than any of this page" };
    pub(crate) const NOTHING: Self =
        Self { status: StatusCode::NOT_FOUND, why: "there is nothing at this address" };
    pub(crate) const NO_METHOD: Self =
        Self { status: StatusCode::METHOD_NOT_ALLOWED, why: "this address does not accept this method" };
    const NO_HOST: Self = Self {
        status: StatusCode::MISDIRECTED_REQUEST,
        why: "this page is at `127.0.0.1` and `localhost` alone: another name that leads here is not believed",
    };
    const FOREIGN: Self =
        Self { status: StatusCode::FORBIDDEN, why: "a page from elsewhere has made the browser send this" };
}

/// Judges the head of a request. `is_entry`: it is for a one-time address, to which a link from anywhere may lead,
/// because it is not known elsewhere.
pub(crate) fn judge(head: &Parts, is_entry: bool) -> Result<(), Refused> {
    let host = host(head).ok_or(Refused::NO_HOST)?;
    if !matches!(head.method, Method::GET | Method::POST) {
        return Err(Refused::NO_METHOD);
    }
    let is_act = head.method == Method::POST;
    match all(&head.headers, header::ORIGIN).as_slice() {
        [] if !is_act => {}
        [origin] if origin.strip_prefix("http://") == Some(host) => {}
        _ => return Err(Refused::FOREIGN),
    }
    let is_opened = is_entry && one(&head.headers, "sec-fetch-mode") == Some("navigate");
    match all(&head.headers, "sec-fetch-site").as_slice() {
        [] | ["same-origin" | "none"] => {}
        _ if is_opened => {}
        _ => return Err(Refused::FOREIGN),
    }
    // What a browser fetches ahead has no one who looks at it.
    if is_entry && head.headers.contains_key("sec-purpose") {
        return Err(Refused::FOREIGN);
    }
    Ok(())
}

/// The host that is asked for, if it is this machine by a name that no other can have. Its port may be another: a
/// tunnel has its own.
fn host(head: &Parts) -> Option<&str> {
    let [host] = all(&head.headers, header::HOST)[..] else { return None };
    if head.uri.authority().is_some_and(|authority| authority.as_str() != host) {
        return None;
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !host.ends_with(']') => (name, Some(port)),
        _ => (host, None),
    };
    let is_port = port.is_none_or(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    (is_port && matches!(name, "127.0.0.1" | "localhost" | "[::1]")).then_some(host)
}

/// The values of the cookies with a name.
pub(crate) fn cookies<'h>(headers: &'h HeaderMap, name: &'h str) -> impl Iterator<Item = &'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value)
}

/// All values of a header; one that is not text is none that is known.
fn all(headers: &HeaderMap, name: impl header::AsHeaderName) -> Vec<&str> {
    headers.get_all(name).iter().map(|value| value.to_str().unwrap_or("?")).collect()
}

fn one<'h>(headers: &'h HeaderMap, name: &'static str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn judged(method: &str, is_entry: bool, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri("/x");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        judge(&head, is_entry).map_or_else(|refused| refused.status.as_u16(), |()| 200)
    }

    #[test]
    fn only_this_machine_by_its_own_names_is_a_host() {
        for host in ["127.0.0.1:4711", "localhost:9000", "localhost", "[::1]:80", "[::1]"] {
            assert_eq!(judged("GET", false, &[("host", host)]), 200, "{host}");
        }
        for host in [
            "evil.example:4711",
            "127.0.0.1.evil.example",
            "localhost.evil.example:4711",
            "localhost:",
            "localhost:80:80",
            "evil.example@127.0.0.1:4711",
            "127.1:4711",
            "0.0.0.0:4711",
            "LOCALHOST.:1",
            "",
        ] {
            assert_eq!(judged("GET", false, &[("host", host)]), 421, "{host}");
        }
        assert_eq!(judged("GET", false, &[]), 421);
        assert_eq!(judged("GET", false, &[("host", "localhost"), ("host", "localhost")]), 421);
    }

    #[test]
    fn pages_from_elsewhere_are_refused() {
        let host = ("host", "127.0.0.1:4711");
        let own = ("origin", "http://127.0.0.1:4711");
        assert_eq!(judged("POST", false, &[host, own]), 200);
        assert_eq!(judged("POST", false, &[host, own, ("sec-fetch-site", "same-origin")]), 200);
        for (method, headers, status) in [
            ("POST", vec![host], 403),
            ("POST", vec![host, ("origin", "null")], 403),
            ("POST", vec![host, ("origin", "https://127.0.0.1:4711")], 403),
            ("POST", vec![host, ("origin", "http://127.0.0.1:3000")], 403),
            ("POST", vec![host, ("origin", "http://localhost:4711")], 403),
            ("POST", vec![host, own, own], 403),
            ("POST", vec![host, own, ("sec-fetch-site", "same-site")], 403),
            ("GET", vec![host, ("origin", "https://evil.example")], 403),
            ("GET", vec![host, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")], 403),
            ("GET", vec![host, ("sec-fetch-site", "none")], 200),
            ("PUT", vec![host, own], 405),
            ("OPTIONS", vec![host, own], 405),
            ("HEAD", vec![host], 405),
        ] {
            assert_eq!(judged(method, false, &headers), status, "{method} {headers:?}");
        }
    }

    #[test]
    fn a_link_may_lead_to_a_one_time_address_and_nothing_fetches_it_ahead() {
        let link =
            [("host", "localhost:1"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
        assert_eq!(judged("GET", true, &link), 200);
        assert_eq!(judged("GET", true, &[&link[..], &[("sec-purpose", "prefetch")]].concat()), 403);
        let fetched =
            [("host", "localhost:1"), ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")];
        assert_eq!(judged("GET", true, &fetched), 403);
    }

    #[test]
    fn cookies_are_found_by_their_name() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", "a=1; mantlet=x; mantletx=3".parse().unwrap());
        headers.append("cookie", "mantlet=y".parse().unwrap());
        assert_eq!(cookies(&headers, "mantlet").collect::<Vec<_>>(), ["x", "y"]);
    }
}
