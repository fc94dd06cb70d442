//! Which operations are sensitive: those that an attacker repeats to guess a secret, to flood somebody or to gain something.
//!
//! Found from what an app says of itself: the `tokenUrl` of its security schemes, words in paths and operation ids, and names of
//! fields. Only methods that change something count. A wrong guess costs little: the limits that follow from it are far above what a person does.

use crate::model::{
    BodyKind, Contract, Input, Location, Operation, PathItem, Route, Router, SecurityScheme, Shape, ShapeId,
    Take,
};

/// What a sensitive operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Logging in, or getting a token for a password.
    Login,
    /// Asking for a new password, or setting one.
    Reset,
    /// Showing a one-time code, or asking for one.
    Verify,
    /// Making an account, or inviting somebody to.
    Register,
    /// Turning in a coupon, a voucher or a referral.
    Redeem,
    /// Buying.
    Checkout,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Login, Self::Reset, Self::Verify, Self::Register, Self::Redeem, Self::Checkout];

    /// The word in the configuration and in the names of counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Register => "register",
            Self::Redeem => "redeem",
            Self::Checkout => "checkout",
        }
    }
}

/// A sensitive operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flow {
    /// What it is for.
    pub purpose: Purpose,
    /// The field of the body that names the account it is about.
    pub account: Option<String>,
    /// Other names under which the app takes it if that one is not there, in its order.
    pub aliases: Vec<String>,
    /// What shows it: `the tokenUrl of OAuth2PasswordBearer`, `the word "login" in its path`.
    pub why: String,
}

/// A sensitive operation and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// Its methods.
    pub methods: Vec<String>,
    /// What it is.
    pub flow: Flow,
}

/// Words and what they show, in the order in which they decide: `/password/reset/verify` is about resetting.
const WORDS: [(Purpose, &[&str]); 6] = [
    (Purpose::Reset, &["reset", "forgot", "forgotten", "recover", "recovery", "password", "passwd"]),
    (Purpose::Verify, &["otp", "totp", "mfa", "2fa", "verify", "verification", "confirm", "activate", "pin"]),
    (Purpose::Register, &["register", "registration", "signup", "invite", "invitation", "invitations"]),
    (
        Purpose::Redeem,
        &["coupon", "coupons", "voucher", "vouchers", "referral", "referrals", "redeem", "promo", "giftcard"],
    ),
    (Purpose::Checkout, &["checkout", "purchase"]),
    (Purpose::Login, &["login", "signin", "logon", "authenticate", "token"]),
];

/// Two words that are one.
const PAIRS: [(&str, &str, &str); 5] = [
    ("log", "in", "login"),
    ("sign", "in", "signin"),
    ("sign", "up", "signup"),
    ("gift", "card", "giftcard"),
    ("log", "on", "logon"),
];

/// Names under which an account is named, the surest first.
const ACCOUNTS: [&str; 11] = [
    "username",
    "email",
    "user_name",
    "login",
    "email_address",
    "phone",
    "phone_number",
    "mobile",
    "identifier",
    "account",
    "user",
];
const SECRETS: [&str; 4] = ["password", "passwd", "passphrase", "pin"];

/// All sensitive operations of an app, in its order.
pub fn find(contract: &Contract) -> Vec<Found> {
    let mut search = Search { shapes: &contract.shapes, token_urls: Vec::new(), found: Vec::new() };
    search.token_urls_of(&contract.router);
    search.router("", &contract.router);
    search.found
}

struct Search<'c> {
    shapes: &'c [Shape],
    /// With the names of their schemes.
    token_urls: Vec<(&'c str, &'c str)>,
    found: Vec<Found>,
}

impl<'c> Search<'c> {
    fn token_urls_of(&mut self, router: &'c Router) {
        for route in &router.routes {
            match route {
                Route::Http { operation: Some(operation), .. } => {
                    for requirement in operation.security.iter().flatten() {
                        if let SecurityScheme::Bearer { token_url: Some(url) } = &requirement.scheme {
                            self.token_urls.push((url.trim_matches('/'), &requirement.name));
                        }
                    }
                }
                Route::Mount { router: Some(router), .. } => self.token_urls_of(router),
                _ => {}
            }
        }
    }

    fn router(&mut self, below: &str, router: &Router) {
        for route in &router.routes {
            match route {
                Route::Http { path, methods, operation: Some(operation), .. } => {
                    let path = format!("{below}{path}");
                    let methods: Vec<_> = methods.iter().filter(|name| changes(name)).cloned().collect();
                    if let (false, Some(flow)) = (methods.is_empty(), self.flow(&path, operation)) {
                        self.found.push(Found { path, methods, flow });
                    }
                }
                Route::Mount { path, router: Some(router) } => self.router(&format!("{below}{path}"), router),
                _ => {}
            }
        }
    }

    fn flow(&self, path: &str, operation: &Operation) -> Option<Flow> {
        let fields = self.fields(operation);
        let named = |names: &[&str]| {
            let is_named =
                |field: &&Vec<String>, name: &str| field.iter().any(|own| simple(own) == simple(name));
            names.iter().find_map(|name| fields.iter().find(|field| is_named(field, name)))
        };
        let mut names = named(&ACCOUNTS).into_iter().flatten().cloned();
        let (account, aliases) = (names.next(), names.collect::<Vec<_>>());
        let flow =
            |purpose, why| Some(Flow { purpose, account: account.clone(), aliases: aliases.clone(), why });
        if let Some((_, scheme)) = self.token_urls.iter().find(|(url, _)| *url == path.trim_matches('/')) {
            return flow(Purpose::Login, format!("it is the tokenUrl of `{scheme}`"));
        }
        for (place, text) in [("path", path), ("operation id", operation.id.as_str())] {
            let words = words(text);
            for (purpose, signs) in WORDS {
                if let Some(sign) = signs.iter().find(|sign| words.iter().any(|word| word == *sign)) {
                    // A token of another kind is made without a password.
                    if purpose == Purpose::Login && *sign == "token" && named(&SECRETS).is_none() {
                        continue;
                    }
                    return flow(purpose, format!("the word `{sign}` is in its {place}"));
                }
            }
        }
        let secret =
            named(&SECRETS).filter(|_| account.is_some() && operation.body != BodyKind::None)?.first()?;
        // Who is known already does not log in.
        operation.security.is_empty().then_some(())?;
        let account = account.clone()?;
        flow(Purpose::Login, format!("its fields are `{account}` and `{secret}`"))
    }

    /// Fields of the body, each with its names in the order in which the app looks for them.
    fn fields(&self, operation: &Operation) -> Vec<Vec<String>> {
        let mut fields = Vec::new();
        for input in operation.inputs.iter().filter(|input| input.location == Location::Body) {
            match &input.take {
                Take::Field { names, .. } => fields.push(names.clone()),
                Take::Group { fields: group, .. } => {
                    let wires = group.iter().map(|field| field.names.iter().map(|(_, wire)| wire.clone()));
                    fields.extend(wires.map(Iterator::collect));
                }
                Take::Whole => self.fields_of(input, &mut fields),
            }
        }
        fields
    }

    /// Of a model; what stands around it does not change its fields.
    fn fields_of(&self, input: &Input, fields: &mut Vec<Vec<String>>) {
        let shape = |id: ShapeId| self.shapes.get(id.0 as usize);
        let mut next = Some(input.shape);
        // Bounded, for a shape may stand around itself.
        for _ in 0..8 {
            next = match next.and_then(shape) {
                Some(Shape::Object(object)) => {
                    let name = |path: &Vec<PathItem>| match &path[..] {
                        [PathItem::Key(name)] => Some(name.clone()),
                        _ => None,
                    };
                    fields.extend(
                        object.fields.iter().map(|field| field.lookup.iter().filter_map(name).collect()),
                    );
                    return;
                }
                Some(
                    Shape::Nullable { inner } | Shape::WithDefault { inner } | Shape::Then { inner, .. },
                ) => Some(*inner),
                _ => return,
            };
        }
    }
}

fn changes(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH")
}

/// Without what people write differently: `userName`, `user_name`.
fn simple(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// The words of a path or an identifier, without parameters: `/auth/logIn/{user}` has `auth`, `log`, `in` and `login`.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for segment in text.split('/').filter(|segment| !segment.starts_with('{')) {
        let mut word = String::new();
        let mut before = ' ';
        for c in segment.chars() {
            let begins = c.is_ascii_uppercase() && before.is_ascii_lowercase();
            if (begins || !c.is_ascii_alphanumeric()) && !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            if c.is_ascii_alphanumeric() {
                word.push(c.to_ascii_lowercase());
            }
            before = c;
        }
        if !word.is_empty() {
            words.push(word);
        }
    }
    let pairs: Vec<_> = words
        .windows(2)
        .filter_map(|pair| {
            let [first, second] = pair else { return None };
            let (_, _, both) = PAIRS.iter().find(|(a, b, _)| a == first && b == second)?;
            Some((*both).to_owned())
        })
        .collect();
    words.extend(pairs);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contract(operations: &serde_json::Value) -> Contract {
        let routes: Vec<_> = operations
            .as_array()
            .unwrap()
            .iter()
            .map(|one| {
                let fields: Vec<_> = one[3].as_array().unwrap().iter().map(|name| {
                    serde_json::json!({"location": "body", "take": {"kind": "field", "names": [name], "multiple": false}, "shape": 0, "required": true})
                }).collect();
                serde_json::json!({"kind": "http", "path": one[1], "methods": [one[0]], "hidden": false, "operation": {
                    "id": one[2], "body": {"kind": "form", "files": false}, "inputs": fields,
                    "security": if one[4] == "bearer" {
                        serde_json::json!([[{"name": "OAuth2PasswordBearer", "scheme": {"kind": "bearer", "token-url": "auth/jwt"}, "auto-error": true}]])
                    } else { serde_json::json!([]) },
                }})
            })
            .collect();
        serde_json::from_value(serde_json::json!({
            "version": 1, "source": "inspector", "shapes": [{"type": "any"}],
            "router": {"routes": routes, "redirect-slashes": true, "complete": true},
        }))
        .unwrap()
    }

    #[test]
    fn sensitive_operations_are_found_by_what_they_say_of_themselves() {
        use Purpose as P;
        let rows = [
            ("POST", "/auth/jwt", "a", &["username", "password"][..], "", Some((P::Login, Some("username")))),
            ("POST", "/session", "b", &["userName", "password"], "", Some((P::Login, Some("userName")))),
            ("POST", "/token", "c", &["username", "password"], "", Some((P::Login, Some("username")))),
            ("POST", "/token", "d", &["label"], "bearer", None),
            ("POST", "/a", "sign_in_a_post", &["code"], "", Some((P::Login, None))),
            ("POST", "/users", "create_user", &["email", "password"], "bearer", None),
            ("POST", "/auth/forgot-password", "e", &["email"], "", Some((P::Reset, Some("email")))),
            ("POST", "/auth/signUp", "f", &["email", "password"], "", Some((P::Register, Some("email")))),
            ("POST", "/mfa/{user}", "g", &["code"], "bearer", Some((P::Verify, None))),
            ("POST", "/voucher", "h", &[], "", Some((P::Redeem, None))),
            ("POST", "/cart/checkout", "i", &[], "bearer", Some((P::Checkout, None))),
            ("GET", "/login", "j", &[], "", None),
            ("POST", "/items/{login}", "k", &["name"], "", None),
            ("POST", "/blogin", "l", &["name"], "", None),
        ];
        let operations: Vec<_> =
            rows.iter().map(|row| serde_json::json!([row.0, row.1, row.2, row.3, row.4])).collect();
        let found = find(&contract(&operations.into()));
        for (method, path, id, _, _, expected) in rows {
            let flow =
                found.iter().find(|found| found.path == path && !matches!((path, id), ("/token", "d")));
            let flow = flow.map(|found| (found.flow.purpose, found.flow.account.as_deref()));
            assert_eq!(flow, expected, "{method} {path}");
        }
    }
}
