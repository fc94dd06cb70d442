use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tempfile::TempDir;

use super::*;

mod files;
mod loading;
mod mistakes;
mod showing;

// A configuration of every shape that the real one may have.

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Sample {
    listen: SocketAddr,
    workers: u16,
    rate: Rate,
    app: Option<String>,
    #[serde(alias = "name")]
    title: String,
    trusted: Vec<String>,
    ratio: f64,
    api_token: String,
    admin_password: Option<Guarded>,
    limits: Limits,
    headers: Headers,
    store: Store,
    upstream: Upstream,
    labels: BTreeMap<String, String>,
    route: Vec<Route>,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            listen: ([127, 0, 0, 1], 8000).into(),
            workers: 2,
            rate: Rate("1/s".to_owned()),
            app: None,
            title: "a gate".to_owned(),
            trusted: vec!["127.0.0.1/32".to_owned()],
            ratio: 0.5,
            api_token: "none".to_owned(),
            admin_password: None,
            // Not the default of its type: what a file leaves out must still come from here.
            limits: Limits { header_count: 77, ..Limits::default() },
            headers: Headers::default(),
            store: Store::Disk { path: "/var/lib".to_owned() },
            upstream: Upstream::Socket { socket: "/run/app".to_owned(), retries: 1 },
            labels: [("stage".to_owned(), "test".to_owned())].into(),
            route: Vec::new(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Limits {
    head_size: Size,
    header_count: u32,
    idle_timeout: Option<Size>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_size: Size(16), header_count: 100, idle_timeout: None }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Headers {
    mode: Mode,
    hsts: bool,
    content_security_policy: Csp,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
struct Csp {
    data: String,
    docs: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Mode {
    #[default]
    Enforce,
    Report,
    Off,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Store {
    Memory,
    Disk { path: String },
    Redis(String),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
enum Upstream {
    Socket { socket: String, retries: u8 },
    Port { port: u16, password: Option<String> },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Route {
    path: String,
    #[serde(default)]
    mode: Mode,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    limits: Limits,
}

/// KiB; a type with its own words, as those of the controls are.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Size(u64);

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} KiB", self.0))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;
        impl serde::de::Visitor<'_> for Words {
            type Value = Size;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `16 KiB`")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Size, E> {
                let number = text.trim_end_matches("KiB").trim().parse();
                number.map(Size).map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_any(Words)
    }
}

/// A text of its own kind.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Rate(String);

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_suffix("/s").map(str::parse::<u32>) {
            Some(Ok(_)) => Ok(Self(text)),
            _ => Err(D::Error::invalid_value(serde::de::Unexpected::Str(&text), &"a rate such as `100/s`")),
        }
    }
}

/// A secret whose type carelessly repeats it.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct Guarded(String);

impl<'de> Deserialize<'de> for Guarded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text.strip_prefix("env:") {
            Some(_) => Ok(Self(text)),
            None => Err(D::Error::custom(format!("`{text}` is not of the form `env:NAME`"))),
        }
    }
}

// A folder with files, variables and flags, and what comes of it.

#[derive(Default)]
struct Given<'a> {
    own: Option<&'a [u8]>,
    pyproject: Option<&'a str>,
    explicit: Option<(&'a str, &'a str)>,
    environment: &'a [(&'a str, &'a str)],
    adopted: Vec<Adopted>,
    flags: Vec<Flag>,
}

impl Given<'_> {
    fn load_with<C>(&self) -> Result<Loaded<C>, Mistakes>
    where
        C: serde::de::DeserializeOwned + Serialize + Default,
    {
        let folder = TempDir::new().unwrap();
        if let Some(bytes) = self.own {
            fs::write(folder.path().join("mantlet.toml"), bytes).unwrap();
        }
        if let Some(text) = self.pyproject {
            fs::write(folder.path().join("pyproject.toml"), text).unwrap();
        }
        let explicit_file = self.explicit.map(|(name, text)| {
            fs::write(folder.path().join(name), text).unwrap();
            folder.path().join(name)
        });
        let pairs = self.environment.iter();
        load(&Sources {
            explicit_file,
            folder: folder.path(),
            environment: pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ignored_variables: &["MANTLET_CONFIG"],
            adopted: self.adopted.clone(),
            flags: self.flags.clone(),
        })
        .map_err(|mistakes| {
            let shown = format!("{}/", folder.path().display());
            let strip = |text: &str| text.replace(&shown, "");
            let strip_all = |mistake: &Located| Located {
                message: strip(&mistake.message),
                origin: mistake.origin.clone().map(|origin| match origin {
                    Origin::File { path, line } => {
                        Origin::File { path: PathBuf::from(strip(&path.to_string_lossy())), line }
                    }
                    other => other,
                }),
                ..mistake.clone()
            };
            Mistakes::from(mistakes.iter().map(strip_all).collect::<Vec<_>>())
        })
    }

    /// What there is besides mistakes.
    fn read(&self) -> (Option<Loaded<Sample>>, Vec<Located>) {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("mantlet.toml"), self.own.unwrap_or_default()).unwrap();
        let pairs = self.environment.iter();
        read(&Sources {
            explicit_file: None,
            folder: folder.path(),
            environment: pairs.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            ignored_variables: &[],
            adopted: self.adopted.clone(),
            flags: self.flags.clone(),
        })
    }

    fn load(&self) -> Result<Loaded<Sample>, Mistakes> {
        self.load_with()
    }
}

fn file(text: &str) -> Given<'_> {
    Given { own: Some(text.as_bytes()), ..Given::default() }
}

fn variables<'a>(environment: &'a [(&'a str, &'a str)]) -> Given<'a> {
    Given { environment, ..Given::default() }
}

#[track_caller]
fn assert_mistakes(given: &Given<'_>, expected: &str) {
    let mistakes = given.load().expect_err("there are mistakes").to_string();
    assert_eq!(mistakes, expected.trim_end(), "\n--- got\n{mistakes}\n");
}

#[track_caller]
fn assert_loads(given: &Given<'_>, expected: impl FnOnce(&mut Sample)) -> Loaded<Sample> {
    let loaded = given.load().unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut sample = Sample::default();
    expected(&mut sample);
    assert_eq!(loaded.config, sample);
    loaded
}

fn origin_in(name: &str, line: usize) -> Origin {
    Origin::File { path: PathBuf::from(name), line }
}
