//! Recognises health probes: safe requests for a path with one of their names.

use http::Method;

/// The last segment of health-check paths, in lower case, as in Kubernetes, Docker, cloud load
/// balancers and FastAPI templates.
const WORDS: [&str; 17] = [
    "_health",
    "__health__",
    "alive",
    "health",
    "health-check",
    "health_check",
    "healthcheck",
    "healthy",
    "healthz",
    "heartbeat",
    "live",
    "liveness",
    "livez",
    "ping",
    "readiness",
    "ready",
    "readyz",
];
/// The same, for names that count only alone or below `health`.
const FIRST: [&str; 4] = ["up", "status", "startup", "startupz"];
/// Segments that may come before: `/api/v1/health`, `/-/ready`.
const DEPTH: usize = 3;

/// Whether a request is a health probe.
pub(crate) fn is_probe(method: &Method, path: &str) -> bool {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return false;
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    let Some((before, last)) = path.rsplit_once('/') else { return false };
    let is = |words: &[&str]| words.iter().any(|word| last.eq_ignore_ascii_case(word));
    let depth = before.bytes().filter(|byte| *byte == b'/').count();
    depth <= DEPTH && is(&WORDS) || is(&FIRST) && (before.is_empty() || before.ends_with("/health"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_ask_for_paths_of_that_name() {
        for (path, expected) in [
            ("/health", true),
            ("/healthz", true),
            ("/livez", true),
            ("/readyz/", true),
            ("/ping", true),
            ("/api/v1/health", true),
            ("/health/live", true),
            ("/health/startup", true),
            ("/-/ready", true),
            ("/status", true),
            ("/up", true),
            ("/", false),
            ("", false),
            ("/health/records", false),
            ("/orders/7/status", false),
            ("/shipping", false),
            ("/a/b/c/d/health", false),
            ("/reset-password", false),
        ] {
            assert_eq!(is_probe(&Method::GET, path), expected, "{path}");
        }
        assert!(is_probe(&Method::HEAD, "/health") && !is_probe(&Method::POST, "/health"));
    }
}
