//! Security requirements. Whether the app refuses a request without a credential a document does not say, so it is not taken to.

use super::{Reader, place::Place, tree::Node};
use crate::model::{Location, SecurityRequirement, SecurityScheme};

impl<'d> Reader<'d> {
    /// An operation's own requirements, or those of the whole document.
    pub(super) fn security(&mut self, operation: &Place<'d>) -> Vec<Vec<SecurityRequirement>> {
        let alternatives = operation.get("security").or_else(|| Place::root(self.root).get("security"));
        let alternatives: Vec<_> = alternatives.iter().flat_map(Place::items).collect();
        let mut made = Vec::with_capacity(alternatives.len());
        for alternative in alternatives {
            let schemes =
                alternative.each().map(|(name, scopes)| (name.to_owned(), scopes)).collect::<Vec<_>>();
            let all = schemes.into_iter().map(|(name, scopes)| {
                let scopes = scopes.node.list().unwrap_or_default().iter();
                let scopes = scopes.filter_map(Node::text).map(str::to_owned).collect();
                SecurityRequirement {
                    scheme: self.scheme(&name, &alternative),
                    name,
                    scopes,
                    auto_error: false,
                    missing: None,
                }
            });
            made.push(all.collect());
        }
        made
    }

    fn scheme(&mut self, name: &str, asked_at: &Place<'d>) -> SecurityScheme {
        let schemes =
            Place::root(self.root).get("components").and_then(|components| components.get("securitySchemes"));
        let Some(scheme) = schemes.and_then(|schemes| schemes.get(name)) else {
            self.note(&asked_at.at, format!("the security scheme `{name}` is described nowhere"));
            return SecurityScheme::Other;
        };
        let Some(scheme) = self.follow(&scheme) else { return SecurityScheme::Other };
        let text = |name| scheme.text(name).unwrap_or_default();
        match text("type").to_ascii_lowercase().as_str() {
            "http" => match text("scheme").to_ascii_lowercase().as_str() {
                "bearer" => SecurityScheme::Bearer { token_url: None },
                "basic" => SecurityScheme::Basic,
                "digest" => SecurityScheme::Digest,
                _ => SecurityScheme::Other,
            },
            "apikey" => {
                let location = match text("in") {
                    "query" => Location::Query,
                    "header" => Location::Header,
                    "cookie" => Location::Cookie,
                    _ => {
                        self.note(
                            &scheme.at,
                            "a key that is neither in the query nor in a header nor in a cookie",
                        );
                        return SecurityScheme::Other;
                    }
                };
                SecurityScheme::ApiKey { location, name: text("name").to_owned() }
            }
            "oauth2" => {
                let flows = scheme.get("flows");
                let mut urls =
                    flows.iter().flat_map(Place::each).filter_map(|(_, flow)| flow.text("tokenUrl"));
                SecurityScheme::Bearer { token_url: urls.next().map(str::to_owned) }
            }
            "openidconnect" => SecurityScheme::Bearer { token_url: None },
            _ => SecurityScheme::Other,
        }
    }
}
