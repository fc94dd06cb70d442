//! Lines of configuration that records offer.

/// Keys whose line in a record has what comes from a client: its `Host`, its `Origin` or its address.
const OF_CLIENTS: [&str; 4] = ["host.allow", "cors.origins", "csrf.trusted-origins", "client.trusted"];

/// The key of such a line. The value may be any: what a client asks for is not what the operator owns.
pub(crate) fn of_client(line: &str) -> Option<&'static str> {
    let key = line.split_once('=')?.0.trim();
    OF_CLIENTS.into_iter().find(|own| *own == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_with_a_value_of_a_client_are_known() {
        assert_eq!(of_client("host.allow = [\"evil.example\"]"), Some("host.allow"));
        assert_eq!(
            of_client("csrf.trusted-origins = [\"https://e.example\"] # or for this operation: route = []"),
            Some("csrf.trusted-origins")
        );
        assert_eq!(of_client("client.trusted = [\"10.0.0.5\"]"), Some("client.trusted"));
        assert_eq!(of_client("csrf.mode = \"enforce\""), None);
        assert_eq!(of_client("route = [{ path = \"/a\", csrf.mode = \"off\" }]"), None);
    }
}
