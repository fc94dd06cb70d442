//! Lines of configuration that records offer.

/// Keys whose line in a record has a name that a client wrote: its `Host` or its `Origin`.
const OF_CLIENTS: [&str; 3] = ["host.allow", "cors.origins", "csrf.trusted-origins"];

/// The key of such a line. The name may be any: what a client asks for is not what the operator owns.
pub(crate) fn written_by_clients(line: &str) -> Option<&'static str> {
    let key = line.split_once('=')?.0.trim();
    OF_CLIENTS.into_iter().find(|own| *own == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_name_of_a_client_are_known() {
        assert_eq!(written_by_clients("host.allow = [\"evil.example\"]"), Some("host.allow"));
        assert_eq!(
            written_by_clients(
                "csrf.trusted-origins = [\"https://e.example\"] # or for this operation: route = []"
            ),
            Some("csrf.trusted-origins")
        );
        assert_eq!(written_by_clients("csrf.mode = \"enforce\""), None);
        assert_eq!(written_by_clients("route = [{ path = \"/a\", csrf.mode = \"off\" }]"), None);
    }
}
