//! Names that a client may have made up, in the form for records.
//!
//! A key that slipped into the place of a name (`GET /q?sk_live_…`) is still secret. So a record
//! shows a name only if the app's own contract has it, or if it is a word that very many APIs use.
//! Of any other name it shows the length and the beginning of its hash, by which an operator who
//! knows the name can find it.

use http::Method;
use sha2::{Digest, Sha256};

/// Longest name that is told, in bytes.
const MAX_NAME: usize = 40;

/// Names that are too short for a secret.
const SHORT: usize = 2;

/// Words that are part of names everywhere, so they say nothing about a client. Without `_`, `-`
/// and regard to case.
const WORDS: [&str; 120] = [
    "access",
    "account",
    "accountid",
    "active",
    "address",
    "admin",
    "amount",
    "api",
    "apikey",
    "args",
    "balance",
    "body",
    "callback",
    "category",
    "channel",
    "client",
    "clientid",
    "code",
    "color",
    "comment",
    "content",
    "context",
    "count",
    "country",
    "createdat",
    "createdby",
    "credit",
    "currency",
    "cursor",
    "data",
    "date",
    "debug",
    "default",
    "deleted",
    "description",
    "details",
    "discount",
    "email",
    "enabled",
    "end",
    "error",
    "expand",
    "extra",
    "fbclid",
    "fields",
    "file",
    "filter",
    "first",
    "flags",
    "format",
    "from",
    "gclid",
    "group",
    "groups",
    "groupid",
    "hidden",
    "include",
    "index",
    "internal",
    "isactive",
    "isadmin",
    "isstaff",
    "issuperuser",
    "isverified",
    "items",
    "key",
    "kind",
    "label",
    "lang",
    "language",
    "last",
    "level",
    "limit",
    "locale",
    "message",
    "meta",
    "metadata",
    "method",
    "mode",
    "name",
    "note",
    "notes",
    "offset",
    "options",
    "order",
    "orderby",
    "owner",
    "ownerid",
    "page",
    "pagesize",
    "params",
    "password",
    "path",
    "payload",
    "permissions",
    "phone",
    "price",
    "quantity",
    "query",
    "role",
    "roles",
    "scope",
    "search",
    "secret",
    "size",
    "sort",
    "source",
    "state",
    "status",
    "tags",
    "tenant",
    "tenantid",
    "title",
    "token",
    "total",
    "type",
    "updatedat",
    "user",
    "userid",
    "verified",
];
/// And those of campaigns.
const CAMPAIGN: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// Methods that are told by name: of HTTP, `WebDAV` and caches.
const METHODS: [&str; 24] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "PATCH",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "QUERY",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
    "MKCALENDAR",
    "PURGE",
    "BAN",
    "LINK",
    "UNLINK",
];

/// A name, told by itself if it is known.
pub(crate) fn name(name: &str, is_known: bool) -> String {
    if is_known || is_common(name) { cut(name, MAX_NAME).to_owned() } else { shape(name) }
}

fn is_common(name: &str) -> bool {
    let plain =
        || name.bytes().filter(|byte| !matches!(byte, b'_' | b'-')).map(|byte| byte.to_ascii_lowercase());
    name.len() <= SHORT
        || CAMPAIGN.contains(&name)
        || (name.len() <= MAX_NAME && WORDS.iter().any(|word| plain().eq(word.bytes())))
}

/// A method.
pub(crate) fn method(method: &Method) -> String {
    let text = method.as_str();
    if is_known(text) { text.to_owned() } else { shape(text) }
}

/// Whether a method is one that is told by name.
pub(crate) fn is_known(method: &str) -> bool {
    METHODS.contains(&method)
}

/// How long a text is, and the beginning of its SHA-256.
pub(crate) fn shape(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let [a, b, c, d] = [0, 1, 2, 3].map(|at| hash.get(at).copied().unwrap_or_default());
    let characters = text.chars().count();
    format!("<{characters} characters, {a:02x}{b:02x}{c:02x}{d:02x}>")
}

/// The beginning of a text, of so many bytes at most.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nobody_declared_is_told_by_its_shape() {
        assert_eq!(name("chip", true), "chip");
        for common in ["is_admin", "isAdmin", "utm_source", "x", "tenant-id"] {
            assert_eq!(name(common, false), common);
        }
        for other in ["chip", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "admin@example.com", "admin1", "abc"] {
            assert!(name(other, false).starts_with('<'), "{other}");
        }
        assert_eq!(name(&"p".repeat(50), true).len(), MAX_NAME);
        let secret = name("sk_live_4eC39HqLyjWDarjtT1zdp7dc", false);
        assert_eq!(secret.len(), "<32 characters, 00000000>".len());
        assert!(secret.starts_with("<32 characters, ") && !secret.contains("sk_"));
        // As Python's `hashlib.sha256("café".encode()).hexdigest()[:8]` says.
        assert_eq!(name("café", false), "<4 characters, 850f7dc4>");
        assert_eq!(method(&Method::from_bytes(b"SK_LIVE_4eC39").unwrap()).get(..15), Some("<13 characters,"));
        assert_eq!(method(&Method::DELETE), "DELETE");
    }
}
