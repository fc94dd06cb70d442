//! Names of headers that a client may not write about itself.

use http::{HeaderMap, HeaderName, header};

use super::Policy;

/// Headers that end at each hop (RFC 9110 section 7.6.1), and two that never had a standard.
pub const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
];

/// Removes headers of a single hop, and those that `is_too` selects.
pub fn remove_hop_by_hop(headers: &mut HeaderMap, is_too: impl Fn(&HeaderName) -> bool) {
    // One pass over the message's headers: most have none of these, and a lookup of each name would
    // take longer.
    let is_one = |name: &HeaderName| {
        matches!(name.as_str().as_bytes().first(), Some(b'c' | b'h' | b'k' | b'p' | b't' | b'u'))
            && HOP_BY_HOP.contains(name)
    };
    let gone: Vec<_> = headers.keys().filter(|name| is_one(name) || is_too(name)).cloned().collect();
    for name in gone {
        headers.remove(name);
    }
}

/// Headers that a `Connection` header cannot remove: controls have decided by them, or they
/// describe the message. Nor may it name those that proxies or Mantlet itself write, see
/// [`is_forgeable`].
const NOT_NAMED_AWAY: [&str; 22] = [
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "authorization",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "proxy-authorization",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-fetch-user",
    "trailer",
    "x-csrf-token",
    "x-csrftoken",
    "x-request-id",
    "x-xsrf-token",
];

/// Headers by which known proxies, gateways and platforms name the client or the original request
/// to the app, and `Proxy` (httpoxy). From any other peer they are forgeries. Sorted.
const FORGEABLE: [&str; 61] = [
    "cf-connecting-ip",
    "cf-connecting-ipv6",
    "cf-pseudo-ipv4",
    "client-cert",
    "client-cert-chain",
    "client-ip",
    "cloudfront-forwarded-proto",
    "cloudfront-viewer-address",
    "fastly-client-ip",
    "fly-client-ip",
    "forwarded",
    "front-end-https",
    "proxy",
    "proxy-client-ip",
    "remote-addr",
    "remote-email",
    "remote-groups",
    "remote-name",
    "remote-user",
    "true-client-ip",
    "wl-proxy-client-ip",
    "wl-proxy-ssl",
    "x-anonymous-consumer",
    "x-arr-clientcert",
    "x-arr-ssl",
    "x-authenticated-email",
    "x-authenticated-groups",
    "x-authenticated-user",
    "x-authenticated-userid",
    "x-azure-clientip",
    "x-azure-socketip",
    "x-client-cert",
    "x-client-dn",
    "x-client-ip",
    "x-client-verify",
    "x-cluster-client-ip",
    "x-consumer-custom-id",
    "x-consumer-groups",
    "x-consumer-id",
    "x-consumer-username",
    "x-credential-identifier",
    "x-endpoint-api-userinfo",
    "x-envoy-external-address",
    "x-envoy-internal",
    "x-envoy-original-path",
    "x-original-forwarded-for",
    "x-original-host",
    "x-original-method",
    "x-original-uri",
    "x-original-url",
    "x-proxyuser-ip",
    "x-real-ip",
    "x-remote-group",
    "x-remote-user",
    "x-rewrite-url",
    "x-scheme",
    "x-script-name",
    "x-token-subject",
    "x-url-scheme",
    "x-vercel-forwarded-for",
    "x-webauth-user",
];

/// The prefix of headers that Mantlet itself writes.
pub(super) const MANTLET: &str = "x-mantlet-";

/// The same by prefix. Each belongs to one product or convention; apps do not use it for their own
/// names.
const FORGEABLE_PREFIXES: [&str; 19] = [
    "cf-access-",                 // Cloudflare Access
    "ssl-client-",                // nginx, as its documentation names them
    "tailscale-user-",            // Tailscale Serve
    "x-amzn-mtls-",               // AWS ALB, client certificates
    "x-amzn-oidc-",               // AWS ALB, OIDC
    "x-appengine-",               // App Engine
    "x-auth-request-",            // oauth2-proxy
    "x-authentik-",               // authentik
    "x-forwarded-",               // everybody; Traefik's client certificates, Authelia, oauth2-proxy
    "x-goog-authenticated-user-", // Google IAP
    "x-goog-iap-",                // Google IAP
    MANTLET,
    "x-ms-client-principal", // Azure App Service
    "x-ms-token-aad-",       // Azure App Service
    "x-pomerium-",           // Pomerium
    "x-remote-extra-",       // Kubernetes' authenticating proxy
    "x-ssl-client-",         // HAProxy, nginx
    "x-vouch-",              // Vouch
    "x-webauth-",            // Grafana's auth proxy, Gitea
];

/// Names with these prefixes that are recorded in full. Sorted.
const BELOW_PREFIXES: [&str; 59] = [
    "cf-access-authenticated-user-email",
    "cf-access-client-id",
    "cf-access-jwt-assertion",
    "ssl-client-cert",
    "ssl-client-i-dn",
    "ssl-client-issuer-dn",
    "ssl-client-s-dn",
    "ssl-client-serial",
    "ssl-client-subject-dn",
    "ssl-client-verify",
    "tailscale-user-login",
    "tailscale-user-name",
    "tailscale-user-profile-pic",
    "x-amzn-mtls-clientcert",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-oidc-accesstoken",
    "x-amzn-oidc-data",
    "x-amzn-oidc-identity",
    "x-appengine-country",
    "x-appengine-inbound-appid",
    "x-appengine-user-ip",
    "x-auth-request-access-token",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-request-user",
    "x-authentik-email",
    "x-authentik-groups",
    "x-authentik-jwt",
    "x-authentik-name",
    "x-authentik-uid",
    "x-authentik-username",
    "x-forwarded-access-token",
    "x-forwarded-client-cert",
    "x-forwarded-email",
    "x-forwarded-for",
    "x-forwarded-groups",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-path",
    "x-forwarded-port",
    "x-forwarded-preferred-username",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-scheme",
    "x-forwarded-server",
    "x-forwarded-ssl",
    "x-forwarded-tls-client-cert",
    "x-forwarded-tls-client-cert-info",
    "x-forwarded-uri",
    "x-forwarded-user",
    "x-goog-authenticated-user-email",
    "x-goog-authenticated-user-id",
    "x-goog-iap-jwt-assertion",
    "x-mantlet-principal",
    "x-ms-client-principal",
    "x-ms-client-principal-name",
    "x-pomerium-jwt-assertion",
    "x-vouch-user",
];

/// Headers by which a client asks for a method other than the judged one.
const METHOD_OVERRIDES: [&str; 3] = ["x-http-method", "x-http-method-override", "x-method-override"];

/// Whether known proxies or platforms write a header of this name.
pub fn is_forgeable(name: &str) -> bool {
    // Most header names begin with none of these.
    let may_be = matches!(
        name.as_bytes(),
        [b'c', b'f' | b'l', ..]
            | [b'f', b'a' | b'l' | b'o' | b'r', ..]
            | [b'p', b'r', b'o', ..]
            | [b'r', b'e', b'm', ..]
            | [b's', b's', ..]
            | [b't', b'a' | b'r', ..]
            | [b'w', b'l', ..]
            | [b'x', b'-', ..]
    );
    may_be && (FORGEABLE.binary_search(&name).is_ok() || has_forgeable_prefix(name))
}

fn has_forgeable_prefix(name: &str) -> bool {
    forgeable_prefix(name).is_some()
}

/// The prefixes that are not after `name` in the alphabet end with the only one that it may have.
fn forgeable_prefix(name: &str) -> Option<&'static str> {
    let after = FORGEABLE_PREFIXES.partition_point(|prefix| *prefix <= name);
    let nearest = *FORGEABLE_PREFIXES.get(after.checked_sub(1)?)?;
    name.starts_with(nearest).then_some(nearest)
}

/// The known part of a name that [`is_forgeable`]: all of it, or the prefix before the part that a
/// client may have made up.
pub(crate) fn known_part(name: &str) -> &str {
    match forgeable_prefix(name) {
        Some(prefix)
            if BELOW_PREFIXES.binary_search(&name).is_err() && FORGEABLE.binary_search(&name).is_err() =>
        {
            prefix
        }
        _ => name,
    }
}

/// Whether a header of this name asks for another method.
pub(super) fn is_method_override(name: &str) -> bool {
    METHOD_OVERRIDES.contains(&name)
}

/// The headers that `Connection` names, besides those that end at each hop anyway.
pub fn named_in_connection(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    // Nearly every message has only this value.
    let values = values.filter(|value| !matches!(value.as_bytes(), b"keep-alive" | b"close" | b"upgrade"));
    values
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .filter_map(|token| HeaderName::from_bytes(token.trim_ascii()).ok())
        .filter(|name| !HOP_BY_HOP.contains(name))
}

/// Whether `Connection` may remove this header: nothing here depends on it.
pub(super) fn may_be_named_away(name: &HeaderName, policy: &Policy) -> bool {
    let text = name.as_str();
    NOT_NAMED_AWAY.binary_search(&text).is_err() && !is_forgeable(text) && !policy.drop.contains(name)
}

/// Whether a server that reads `_` as `-` would confuse this name, which has an underscore, with
/// one that matters here.
pub(super) fn resembles_what_matters(name: &str, policy: &Policy) -> bool {
    let folded = name.replace('_', "-");
    let folded = folded.as_str();
    NOT_NAMED_AWAY.binary_search(&folded).is_ok()
        || HOP_BY_HOP.iter().any(|own| own == folded)
        || is_forgeable(folded)
        || (policy.drops_overrides && is_method_override(folded))
        || policy.drop.iter().any(|own| own == folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_sorted() {
        assert!(NOT_NAMED_AWAY.is_sorted() && FORGEABLE.is_sorted() && FORGEABLE_PREFIXES.is_sorted());
        assert!(BELOW_PREFIXES.is_sorted());
        for name in BELOW_PREFIXES {
            assert!(has_forgeable_prefix(name), "{name}");
        }
        // None is the beginning of another: the nearest one before a name is the only one that can be its own.
        assert!(FORGEABLE_PREFIXES.is_sorted_by(|a, b| !b.starts_with(a)));
        for prefix in FORGEABLE_PREFIXES {
            assert!(is_forgeable(prefix) && is_forgeable(&format!("{prefix}zz")), "{prefix}");
        }
        for name in FORGEABLE {
            assert!(is_forgeable(name), "{name}");
        }
        for name in [
            "x-forwarded",
            "x-vouch",
            "x-consumer-key",
            "x-token-subject-type",
            "x-request-id",
            "x-api-key",
            "content-type",
            "cookie",
            "x-amz-date",
        ] {
            assert!(!is_forgeable(name), "{name}");
        }
    }

    #[test]
    fn what_a_client_has_made_up_is_no_part_of_a_known_name() {
        for (name, known) in [
            ("x-forwarded-for", "x-forwarded-for"),
            ("remote-user", "remote-user"),
            ("x-webauth-user", "x-webauth-user"),
            ("x-forwarded-sk-live-4ec39hqlyjwdarjtt1zdp7dc", "x-forwarded-"),
            ("x-forwarded-", "x-forwarded-"),
            ("x-ms-client-principal", "x-ms-client-principal"),
            ("x-ms-client-principals", "x-ms-client-principal"),
        ] {
            assert_eq!(known_part(name), known, "{name}");
        }
    }
}
