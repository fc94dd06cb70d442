//! A puzzle whose answer lets a request pass that was refused: as JSON, and as a page for people.
//!
//! The page solves the puzzle by a script of its own, keeps the answer in a cookie, and leads back to
//! the form. Without scripts it says how long to wait. It loads nothing.

use std::{fmt::Write, sync::LazyLock};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The script of the page.
const SCRIPT: &str = include_str!("solve.js");
/// Its style. Colours have a contrast of at least 7 to 1 (WCAG 2.2, 1.4.6).
const STYLE: &str = ":root{color-scheme:light dark}\
                     body{font:1.1rem/1.5 system-ui,sans-serif;margin:0;padding:1.5rem;background:Canvas;color:CanvasText}\
                     main{max-width:34rem;margin:10vh auto 0}h1{font-size:1.5rem;line-height:1.25}progress{width:100%}";

/// The policy of the page: its own script and style, and nothing else.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(Sha256::digest(text));
    let policy = format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    );
    HeaderValue::try_from(policy).ok()
});

/// A puzzle whose answer lets a request pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Challenge {
    /// The puzzle, as ALTCHA has it.
    pub puzzle: Value,
    /// What a person gets who sees the refusal in a browser; none for programs.
    pub page: Option<Page>,
}

/// Facts for the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where the form is, on this site; none if that is not known.
    pub back: Option<Box<str>>,
    /// The cookie that carries the answer.
    pub cookie: &'static str,
    /// Seconds after which no answer is needed.
    pub wait: u64,
}

/// What the script needs.
#[derive(Serialize)]
struct Facts<'f> {
    puzzle: &'f Value,
    cookie: &'f str,
    back: Option<&'f str>,
}

impl Challenge {
    /// The page, if the refusal is one; its headers are set.
    pub(super) fn page(&self, headers: &mut HeaderMap) -> Option<Bytes> {
        let Page { back, cookie, wait } = self.page.as_ref()?;
        let facts = Facts { puzzle: &self.puzzle, cookie, back: back.as_deref() };
        let facts = escaped(&serde_json::to_string(&facts).ok()?);
        let link = back.as_deref().map_or_else(String::new, |back| {
            format!("<p><a href=\"{}\">Back to the login</a></p>\n", escaped(back))
        });
        let wait = in_words(*wait);
        let page = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"robots\" content=\"noindex\">\n<title>One moment before you log in</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n<main data-challenge=\"{facts}\">\n\
             <h1>One moment before you log in</h1>\n\
             <p>Wrong passwords were entered for this account. To keep strangers out, your browser has to do \
             some work first: a second or two, or a little longer on a phone. Then you can log in.</p>\n\
             <p id=\"status\" role=\"status\"></p>\n\
             <progress aria-label=\"Work done, of the most that it can be\" hidden></progress>\n\
             <noscript><p>Your browser does not run scripts, so it cannot do the work. Wait {wait}, and then \
             log in again.</p></noscript>\n{link}</main>\n<script>{SCRIPT}</script>\n</body>\n</html>\n"
        );
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.extend(POLICY.clone().map(|policy| (header::CONTENT_SECURITY_POLICY, policy)));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Some(page.into())
    }
}

/// A time to wait.
fn in_words(seconds: u64) -> String {
    match seconds {
        1 => "a second".to_owned(),
        0..=90 => format!("{seconds} seconds"),
        _ => format!("{} minutes", seconds.div_ceil(60)),
    }
}

/// A text within a quoted attribute of HTML.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut html, character| {
        // Writing to a text cannot fail.
        let _ = match character {
            '&' => html.write_str("&amp;"),
            '<' => html.write_str("&lt;"),
            '>' => html.write_str("&gt;"),
            '"' => html.write_str("&quot;"),
            '\'' => html.write_str("&#39;"),
            other => html.write_char(other),
        };
        html
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn page(back: Option<&str>, wait: u64) -> String {
        let page = Page { back: back.map(Into::into), cookie: "answer", wait };
        let challenge = Challenge { puzzle: json!({"salt": "a?b=c&"}), page: Some(page) };
        let mut headers = HeaderMap::new();
        let page = challenge.page(&mut headers).unwrap();
        assert!(headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
        String::from_utf8(page.to_vec()).unwrap()
    }

    #[test]
    fn text_of_a_client_stays_text() {
        let page = page(Some("/login?a=\"><script>alert(1)</script>&b='"), 240);
        assert_eq!(page.matches("<script>").count(), 1);
        assert!(
            page.contains("href=\"/login?a=&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;b=&#39;\"")
        );
        assert!(page.contains("&quot;salt&quot;:&quot;a?b=c&amp;&quot;"));
    }

    #[test]
    fn it_says_how_long_to_wait_without_scripts() {
        for (wait, words) in [(1, "Wait a second,"), (90, "Wait 90 seconds,"), (241, "Wait 5 minutes,")] {
            assert!(page(None, wait).contains(words), "{wait}");
        }
        assert!(!page(None, 1).contains("<a "));
    }
}
