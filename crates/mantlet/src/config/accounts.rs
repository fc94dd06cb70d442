//! `[accounts]`: accounts for an app that has none.

use std::{fs, net::IpAddr, path::Path, time::Duration};

use http::Uri;
use mantlet_accounts::{
    SealingKeys, Secret,
    accounts::Settings,
    passwords::{Blocklist, Policy},
    sessions::Limits,
    store::Database,
};
use mantlet_controls::{
    accounts::COOKIES,
    config::{Mistake, units::Span},
    message::authority::is_loopback,
};
use mantlet_mail::{Sender, Site, Templates, Transport};
use serde::{Deserialize, Serialize};

use super::{
    login,
    reference::{REMEDY, Reference, secret},
};

/// The database of SQLite, in the state folder.
const DATABASE: &str = "accounts.db";
/// The key that seals, in the state folder.
const KEY: &str = "accounts.key";
/// The shortest passwords that may be asked for (SP 800-63B-4 section 3.1.1.1).
const SHORTEST: usize = 8;
/// The longest that is accepted.
const LONGEST: usize = 256;
/// Bytes of a style sheet, at most.
const LONGEST_STYLE: u64 = 256 << 10;
const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

/// `[accounts]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// Where the site is for its users, such as `https://orchard.example`. Default empty: there are no accounts, and providers
    /// of `[login]` lead back to where a request has asked.
    pub(crate) url: String,
    /// Accounts have passwords here. Default: yes, unless there are providers under `[login]`.
    pub(crate) passwords: Option<bool>,
    /// The path below which pages and API are. Default `/auth`.
    pub(crate) path: String,
    /// The name of the app, as pages and mails say it. Default: the host of `url`.
    pub(crate) name: String,
    /// Where a login leads if no other page was asked for. Default `/`.
    pub(crate) home: String,
    /// How mails are sent: `file:FOLDER`, `smtp://HOST` or, by reference, a URL with a password. Default empty: they wait.
    pub(crate) mail: String,
    /// The sender of mails. Default `no-reply@` and the host of `url`.
    pub(crate) mail_from: String,
    /// A file with the authorities that the mail server's certificate may be from, PEM. Default: those of the machine.
    pub(crate) mail_authority: String,
    /// A folder with templates of mails. Default none.
    pub(crate) mail_templates: String,
    /// Path templates that need no login. Default none.
    pub(crate) public: Vec<String>,
    /// The app's documentation needs no login. Default yes.
    pub(crate) public_docs: bool,
    /// Anyone may register. Default yes.
    pub(crate) registration: bool,
    /// `postgres://…`, by reference. Default empty: SQLite, `accounts.db` in the state folder.
    pub(crate) database: String,
    /// The key that seals what is secret in the database, by reference. Default empty: `accounts.key` in the state folder.
    pub(crate) key: String,
    /// How long an access token is good. Default 10 min.
    pub(crate) access_token: Span,
    /// How long a session lasts without use. Default 14 d.
    pub(crate) idle: Span,
    /// How long a session lasts in all. Default 90 d.
    pub(crate) absolute: Span,
    /// The fewest characters of a password. Default 15.
    pub(crate) password_length: usize,
    /// The same for accounts with a second factor. Default 8.
    pub(crate) password_length_with_second_factor: usize,
    /// A file with more passwords that are refused. Default none.
    pub(crate) blocklist: String,
    /// A file of CSS for the pages. Default none.
    pub(crate) style: String,
}

impl Default for Config {
    fn default() -> Self {
        let (policy, limits) = (Policy::default(), Limits::default());
        Self {
            url: String::new(),
            passwords: None,
            path: "/auth".into(),
            name: String::new(),
            home: "/".into(),
            mail: String::new(),
            mail_from: String::new(),
            mail_authority: String::new(),
            mail_templates: String::new(),
            public: Vec::new(),
            public_docs: true,
            registration: true,
            database: String::new(),
            key: String::new(),
            access_token: Span(Duration::from_mins(10)),
            idle: Span(limits.idle),
            absolute: Span(limits.absolute),
            password_length: policy.shortest,
            password_length_with_second_factor: policy.shortest_with_second_factor,
            blocklist: String::new(),
            style: String::new(),
        }
    }
}

impl Config {
    /// Whether there are accounts with passwords.
    pub(crate) fn has_passwords(&self, login: &login::Config) -> bool {
        !self.url.is_empty() && self.passwords.unwrap_or_else(|| login.is_empty())
    }

    /// Whether callers can log in: with a password, or at a provider.
    pub(crate) fn is_wanted(&self, login: &login::Config) -> bool {
        self.has_passwords(login) || !login.is_empty()
    }

    /// The name of the session's cookie for a site at this address. Browsers take the prefix over HTTPS alone.
    pub(crate) fn cookie(&self, origin: &str) -> &'static str {
        let origin = if self.url.is_empty() { origin } else { &self.url };
        let [encrypted, plain] = COOKIES;
        if origin.starts_with("http:") { plain } else { encrypted }
    }

    /// What the pipeline has to know.
    pub(crate) fn of_controls(&self) -> mantlet_controls::accounts::Config {
        mantlet_controls::accounts::Config { public: self.public.clone(), public_docs: self.public_docs }
    }

    /// What is wrong with it.
    pub(super) fn check(&self, login: &login::Config) -> Vec<Mistake> {
        let mut mistakes = Vec::new();
        let mut add = |key: &str, message: String, help: &str| {
            mistakes.push(Mistake::new(format!("accounts.{key}"), message).help(help));
        };
        let needs_url = login.is_empty() || self.passwords == Some(true);
        if self.url.is_empty() && needs_url {
            if *self != Self::default() {
                add(
                    "url",
                    "is missing, so there are no accounts".to_owned(),
                    "write where the site is for its users, such as `url = \"https://orchard.example\"`",
                );
            }
            return mistakes;
        }
        if login.providers.iter().any(|provider| provider.issuer == self.url) {
            let help = "name the provider's own address, and keep the site's for `[accounts]`";
            add(
                "url",
                "is the issuer of a provider, too: their callers could not be told apart".to_owned(),
                help,
            );
        }
        if !self.has_passwords(login) && *self != self.without_passwords() {
            add(
                "passwords",
                "is off, and some keys of `[accounts]` are for accounts with passwords alone".to_owned(),
                "beside `[login]`, write `passwords = true` to have both; or leave these keys out: `mail` and what \
                 begins with it, `registration`, `access-token`, `idle`, `absolute`, `blocklist` and what begins \
                 with `password-`",
            );
        }
        if !self.url.is_empty()
            && let Err(why) = host_of(&self.url)
        {
            add("url", why, "write `https://HOST`; on this machine `http://localhost:PORT` will do");
        }
        if !is_path(&self.path) || self.path.ends_with('/') {
            let message = format!("`{}` is not a path below which pages can be", self.path);
            add("path", message, "write one such as `/auth`, without a slash at its end");
        }
        if !is_path(&self.home) {
            add("home", format!("`{}` is not a path of this site", self.home), "write one such as `/`");
        }
        for (key, span, least, most) in [
            ("access-token", self.access_token, MINUTE, DAY),
            ("idle", self.idle, MINUTE, 400 * DAY),
            ("absolute", self.absolute, MINUTE, 400 * DAY),
        ] {
            if !(least..=most).contains(&span.0) {
                let days = most.as_secs() / DAY.as_secs();
                add(
                    key,
                    format!("`{span}` is not between 1 min and {days} d"),
                    "write a time such as `10m` or `14d`",
                );
            }
        }
        for (key, length) in [
            ("password-length", self.password_length),
            ("password-length-with-second-factor", self.password_length_with_second_factor),
        ] {
            if !(SHORTEST..=64).contains(&length) {
                add(
                    key,
                    format!("`{length}` is not between {SHORTEST} and 64"),
                    "SP 800-63B-4 asks for 15, and 8 with a second factor",
                );
            }
        }
        // What they hold is read at the start, and may not be known where a configuration is checked.
        for (key, reference) in [("database", &self.database), ("key", &self.key)] {
            if let Err(why) = reference_of(reference) {
                add(key, why, REMEDY);
            }
        }
        if let Err(why) = mail_of(&self.mail) {
            add("mail", why, "write `file:FOLDER`, `smtp://HOST:587`, or a reference such as `env:MAIL_URL`");
        }
        if let Err(why) = self.templates() {
            add("mail-templates", why, "name a folder with templates as docs/mail.md has them");
        }
        if let Err(why) = self.authority() {
            add("mail-authority", why, "name a file with certificates in PEM");
        }
        if let Err(why) = self.blocklists() {
            add("blocklist", why, "make one with `mantlet accounts blocklist`");
        }
        if let Err(why) = self.style_sheet() {
            add("style", why, "name a file of CSS");
        }
        mistakes
    }

    /// What of it is for logins at providers, too.
    fn without_passwords(&self) -> Self {
        Self {
            url: self.url.clone(),
            passwords: self.passwords,
            path: self.path.clone(),
            name: self.name.clone(),
            home: self.home.clone(),
            public: self.public.clone(),
            public_docs: self.public_docs,
            database: self.database.clone(),
            key: self.key.clone(),
            ..Self::default()
        }
    }

    /// The name of the app.
    pub(crate) fn app(&self) -> String {
        let host = || host_of(&self.url).unwrap_or_else(|_| "this app".to_owned());
        if self.name.is_empty() { host() } else { self.name.clone() }
    }

    /// How accounts behave.
    pub(crate) fn settings(&self) -> Settings {
        let mut settings = Settings::new(&self.app(), &self.url);
        settings.issuer.lifetime = self.access_token.0;
        settings.sessions = Limits { idle: self.idle.0, absolute: self.absolute.0 };
        settings
    }

    /// Which passwords may be chosen.
    pub(crate) fn passwords(&self) -> Policy {
        Policy {
            shortest: self.password_length,
            shortest_with_second_factor: self.password_length_with_second_factor,
            longest: LONGEST,
            words: [self.name.clone(), host_of(&self.url).unwrap_or_default()].into(),
        }
    }

    /// What sends mails; nothing if they wait.
    pub(crate) fn sender(&self) -> Result<Option<Sender>, String> {
        if self.mail.is_empty() {
            return Ok(None);
        }
        let is_plain = self.mail.starts_with("file:") || self.mail.starts_with("smtp");
        let text = if is_plain {
            Secret::new(self.mail.clone())
        } else {
            text_of(&self.mail).map_err(|why| of_key("mail", &why))?
        };
        let site =
            Site::new(&self.app(), &self.url, &self.path).map_err(|why| of_key("url", &why.to_string()))?;
        let authority = self.authority().map_err(|why| of_key("mail-authority", &why))?;
        let transport = Transport::open(text.expose(), authority.as_deref(), &site)
            .map_err(|why| of_key("mail", &why.to_string()))?;
        let templates = self.templates().map_err(|why| of_key("mail-templates", &why))?;
        let sender = Sender::new(site, &self.from(), templates, transport);
        sender.map(Some).map_err(|why| of_key("mail-from", &why.to_string()))
    }

    /// The sender's address. An IP address is not a domain of mail, so on this machine it is `localhost`.
    fn from(&self) -> String {
        if !self.mail_from.is_empty() {
            return self.mail_from.clone();
        }
        let host = host_of(&self.url).unwrap_or_default();
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        format!("no-reply@{}", if is_address { "localhost" } else { &host })
    }

    fn templates(&self) -> Result<Templates, String> {
        if self.mail_templates.is_empty() {
            return Ok(Templates::ours());
        }
        Templates::load(Path::new(&self.mail_templates)).map_err(|why| why.to_string())
    }

    fn authority(&self) -> Result<Option<Vec<u8>>, String> {
        if self.mail_authority.is_empty() {
            return Ok(None);
        }
        let unread = |error: std::io::Error| format!("`{}` cannot be read: {error}", self.mail_authority);
        fs::read(&self.mail_authority).map(Some).map_err(unread)
    }

    /// Lists of passwords beside the one that comes with Mantlet.
    pub(crate) fn blocklists(&self) -> Result<Vec<Blocklist>, String> {
        if self.blocklist.is_empty() {
            return Ok(Vec::new());
        }
        let unread = |why: String| format!("`{}` cannot be read: {why}", self.blocklist);
        let bytes = fs::read(&self.blocklist).map_err(|error| unread(error.to_string()))?;
        Ok(vec![Blocklist::read(&bytes).map_err(|fault| unread(fault.to_string()))?])
    }

    /// The style sheet.
    pub(crate) fn style_sheet(&self) -> Result<Option<String>, String> {
        if self.style.is_empty() {
            return Ok(None);
        }
        let unread = |why: &str| format!("`{}` cannot be used: {why}", self.style);
        let length = fs::metadata(&self.style).map_err(|error| unread(&error.to_string()))?.len();
        if length > LONGEST_STYLE {
            return Err(unread("it is longer than 256 KiB"));
        }
        fs::read_to_string(&self.style).map(Some).map_err(|error| unread(&error.to_string()))
    }

    /// The database.
    pub(crate) fn open_database(&self, folder: &Path) -> Result<Database, String> {
        Ok(match self.url_of_database().map_err(|why| of_key("database", &why))? {
            Some(url) => Database::Postgres(url),
            None => Database::Sqlite(folder.join(DATABASE)),
        })
    }

    /// The keys that seal. In the state folder one is made.
    pub(crate) fn sealing_keys(&self, folder: &Path) -> Result<SealingKeys, String> {
        let keys = match self.given_keys().map_err(|why| of_key("key", &why))? {
            Some(keys) => SealingKeys::new(&keys),
            None => SealingKeys::of_file(&folder.join(KEY)),
        };
        keys.map_err(|fault| fault.to_string())
    }

    fn url_of_database(&self) -> Result<Option<Secret<String>>, String> {
        if self.database.is_empty() {
            return Ok(None);
        }
        let url = text_of(&self.database)?;
        if !["postgres://", "postgresql://"].iter().any(|scheme| url.expose().starts_with(scheme)) {
            return Err(
                "it is not the URL of a PostgreSQL database: `postgres://USER:PASSWORD@HOST/NAME`".to_owned()
            );
        }
        Ok(Some(url))
    }

    fn given_keys(&self) -> Result<Option<Vec<Secret<String>>>, String> {
        if self.key.is_empty() {
            return Ok(None);
        }
        let text = text_of(&self.key)?;
        let keys: Vec<_> = text.expose().lines().map(|line| Secret::new(line.trim().to_owned())).collect();
        SealingKeys::new(&keys).map_err(|fault| fault.to_string())?;
        Ok(Some(keys))
    }
}

/// Whether a text is a reference, or empty.
fn reference_of(text: &str) -> Result<(), String> {
    match Reference::of(text) {
        _ if text.is_empty() => Ok(()),
        Some(reference) => reference.map(drop),
        None => Err("a secret does not belong in the configuration".to_owned()),
    }
}

/// Whether a text says how mails are sent, as far as that shows without reading what a reference holds.
fn mail_of(text: &str) -> Result<(), String> {
    match text.split_once(':') {
        _ if text.is_empty() => Ok(()),
        Some(("file", folder)) if !folder.is_empty() => Ok(()),
        Some(("smtp" | "smtps", rest)) if rest.starts_with("//") && !rest.contains('@') => Ok(()),
        Some(("smtp" | "smtps", rest)) if rest.contains('@') => {
            Err("a password does not belong in the configuration".to_owned())
        }
        _ => match Reference::of(text) {
            Some(reference) => reference.map(drop),
            None => Err("it does not say how mails are sent".to_owned()),
        },
    }
}

/// What is wrong with a key that was read at the start.
fn of_key(key: &str, why: &str) -> String {
    format!("`{key}` under `[accounts]`: {why}")
}

/// A secret that is text.
fn text_of(reference: &str) -> Result<Secret<String>, String> {
    let text = String::from_utf8(secret(reference)?);
    text.map(|text| Secret::new(text.trim().to_owned()))
        .map_err(|_| format!("`{reference}` is not text in UTF-8"))
}

/// A path of this site, for browsers, too: they read `//host` as another site.
fn is_path(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    text.starts_with('/')
        && text.bytes().all(is_plain)
        && !text.contains("//")
        && !text.split('/').any(|part| part == "." || part == "..")
}

/// The host of the URL, which is an origin and nothing more: it is `iss` of each token, letter by letter.
fn host_of(url: &str) -> Result<String, String> {
    let refused = |why: &str| Err(format!("`{url}` {why}"));
    let Ok(uri) = url.parse::<Uri>() else { return refused("is not a URL") };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return refused("is not the URL of a site");
    };
    let host = authority.host();
    if url != format!("{scheme}://{authority}") || authority.as_str().contains('@') {
        return refused("has more than a scheme and a host");
    }
    if url.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return refused("has capital letters, which browsers make small");
    }
    match scheme {
        "https" => Ok(host.to_owned()),
        "http" if is_loopback(host) => Ok(host.to_owned()),
        "http" => refused("is not encrypted: passwords and sessions would be read on the way"),
        _ => refused("is not the URL of a site"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config { url: url.to_owned(), ..Config::default() }
    }

    fn keys(config: &Config) -> Vec<String> {
        config.check(&login::Config::default()).into_iter().map(|mistake| mistake.key).collect()
    }

    #[test]
    fn a_url_is_an_origin_that_is_encrypted_or_on_this_machine() {
        for (url, is_good) in [
            ("https://orchard.example", true),
            ("https://orchard.example:8443", true),
            ("http://localhost:8000", true),
            ("http://127.0.0.1:8000", true),
            ("http://[::1]:8000", true),
            ("http://orchard.example", false),
            ("http://10.0.0.1", false),
            ("http://localhost.evil.net", false),
            ("https://orchard.example/", false),
            ("https://orchard.example/shop", false),
            ("https://user@orchard.example", false),
            ("https://Orchard.example", false),
            ("ftp://orchard.example", false),
            ("orchard.example", false),
        ] {
            let expected: &[&str] = if is_good { &[] } else { &["accounts.url"] };
            assert_eq!(keys(&config(url)), expected, "{url}");
        }
    }

    #[test]
    fn beside_providers_there_are_passwords_only_if_that_is_written() {
        #[derive(Deserialize)]
        struct Whole {
            login: login::Config,
        }
        let whole: Whole =
            toml::from_str("[login]\nissuer = \"https://id.example\"\nclient-id = \"app\"\n").unwrap();
        let check = |config: &Config| -> Vec<_> {
            config.check(&whole.login).into_iter().map(|mistake| mistake.key).collect()
        };
        let (plain, none) = (config("https://orchard.example"), login::Config::default());
        assert!(plain.has_passwords(&none) && !plain.has_passwords(&whole.login));
        let both = Config { passwords: Some(true), ..plain.clone() };
        assert!(both.has_passwords(&whole.login));
        assert_eq!(check(&Config::default()), [""; 0]);
        assert_eq!(check(&Config { public: vec!["/health".into()], ..Config::default() }), [""; 0]);
        assert_eq!(check(&Config { registration: false, ..plain }), ["accounts.passwords"]);
        assert_eq!(check(&Config { registration: false, ..both }), [""; 0]);
        assert_eq!(check(&Config { passwords: Some(true), ..Config::default() }), ["accounts.url"]);
    }

    #[test]
    fn each_mistake_names_its_key() {
        let good = config("https://orchard.example");
        assert_eq!(keys(&good), [""; 0]);
        assert_eq!(keys(&Config::default()), [""; 0]);
        assert_eq!(keys(&Config { registration: false, ..Config::default() }), ["accounts.url"]);
        for (config, key) in [
            (Config { path: "auth".into(), ..good.clone() }, "path"),
            (Config { path: "/auth/".into(), ..good.clone() }, "path"),
            (Config { path: "/".into(), ..good.clone() }, "path"),
            (Config { path: "/a/../b".into(), ..good.clone() }, "path"),
            (Config { home: "//evil.net".into(), ..good.clone() }, "home"),
            (Config { access_token: Span::secs(5), ..good.clone() }, "access-token"),
            (Config { idle: Span(Duration::ZERO), ..good.clone() }, "idle"),
            (Config { password_length: 4, ..good.clone() }, "password-length"),
            (Config { database: "postgres://u:p@h/d".into(), ..good.clone() }, "database"),
            (Config { database: "env:".into(), ..good.clone() }, "database"),
            (Config { key: "c2VjcmV0".into(), ..good.clone() }, "key"),
            (Config { mail: "smtps://u:p@mail.example".into(), ..good.clone() }, "mail"),
            (Config { mail: "post".into(), ..good.clone() }, "mail"),
            (Config { mail: "file:".into(), ..good.clone() }, "mail"),
            (Config { mail_templates: "/no/such".into(), ..good.clone() }, "mail-templates"),
            (Config { mail_authority: "/no/such".into(), ..good.clone() }, "mail-authority"),
            (Config { blocklist: "/no/such".into(), ..good.clone() }, "blocklist"),
            (Config { style: "/no/such".into(), ..good.clone() }, "style"),
        ] {
            assert_eq!(keys(&config), [format!("accounts.{key}")]);
            let shown = format!("{:?}", config.check(&login::Config::default()));
            assert!(!shown.contains("u:p@"), "{shown}");
        }
    }

    #[test]
    fn what_a_reference_holds_is_judged_at_the_start() {
        let config =
            Config { database: "env:PATH".into(), key: "env:PATH".into(), ..config("https://o.example") };
        assert_eq!(keys(&config), [""; 0]);
        let folder = Path::new("/nowhere");
        let why = config.open_database(folder).unwrap_err();
        assert!(why.starts_with("`database` under `[accounts]`: it is not the URL"), "{why}");
        let why = config.sealing_keys(folder).unwrap_err();
        assert!(why.starts_with("`key` under `[accounts]`: "), "{why}");
        assert!(!why.contains(&std::env::var("PATH").unwrap()), "{why}");
    }

    #[test]
    fn the_name_of_the_app_is_its_host_if_there_is_no_other() {
        assert_eq!(config("https://orchard.example:8443").app(), "orchard.example");
        assert_eq!(Config { name: "Orchard".into(), ..config("https://x.example") }.app(), "Orchard");
    }
}
