//! Reads the configuration, at start and again: all layers, then what their values mean.

use std::path::PathBuf;

use mantlet_controls::{
    Policy,
    config::{Kept, Mistake, Server},
};
use mantlet_gateway::{Listen, fetch::Target, tls::LoadedTls};

use super::{
    adopted::{Adoption, adopt},
    condition_files, csrf_keys, issuer_material,
    retired::Retired,
    schema::Config,
    socket_path::too_long,
};
use crate::{
    say::{Failure, say},
    settings::{self, Flag, Loaded, Located, Mistakes, Origin, Sources},
};

/// The variable in which the app has the key of the header with the caller.
pub(crate) const PRINCIPAL_KEY: &str = "MANTLET_PRINCIPAL_KEY";

/// The variable in which the app has the socket for its own events.
pub(crate) const AUDIT_SOCKET: &str = "MANTLET_AUDIT_SOCKET";

/// Variables that begin with `MANTLET_` and are not settings.
const NOT_SETTINGS: [&str; 4] = ["MANTLET_CONFIG", "MANTLET_SUPERVISOR", PRINCIPAL_KEY, AUDIT_SOCKET];

/// A configuration without mistakes, and what it was made from.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) loaded: Loaded<Config>,
    pub(crate) policy: Policy,
    pub(crate) listen: Listen,
    /// Certificates, read and checked, if there are any.
    pub(crate) tls: Option<LoadedTls>,
}

/// Reads the configuration again from where it was read first.
#[derive(Debug, Clone)]
pub(crate) struct Reader {
    file: Option<PathBuf>,
    flags: Vec<Flag>,
    /// What stands behind.
    pub(crate) server: Server,
    /// What the environment says in uvicorn's words. Nothing where uvicorn is run by others.
    adoption: Adoption,
    /// What the controls of every policy that is read remember.
    pub(crate) kept: Kept,
    /// Keys that were in use before.
    pub(crate) retired: Retired,
    /// The app has the key of the header with the caller in its environment, and gets no other before its next start.
    is_key_given: bool,
}

impl Reader {
    pub(crate) fn of_file(file: Option<PathBuf>) -> Self {
        Self {
            file,
            flags: Vec::new(),
            server: Server::Unknown,
            adoption: adopt(&environment()),
            kept: Kept::default(),
            retired: Retired::default(),
            is_key_given: false,
        }
    }

    /// Says what stands behind: the defaults depend on it.
    pub(crate) fn in_front_of(mut self, server: Server) -> Self {
        self.server = server;
        self
    }

    /// The app was given the key of the header with the caller.
    pub(crate) fn with_key_given(self) -> Self {
        Self { is_key_given: true, ..self }
    }

    pub(crate) fn with_flags(mut self, flags: Vec<Flag>) -> Self {
        self.flags.extend(flags);
        self
    }

    /// The app is run by others: what our environment says of uvicorn is about another one.
    pub(crate) fn without_uvicorn(mut self) -> Self {
        self.adoption = Adoption::default();
        self
    }

    /// All layers, without a look at what they name; or what is wrong with their form.
    pub(crate) fn load(&self) -> Result<Loaded<Config>, Mistakes> {
        self.with_sources(settings::load)
    }

    fn with_sources<T>(&self, then: impl FnOnce(&Sources<'_>) -> T) -> T {
        let folder = std::env::current_dir().unwrap_or_default();
        then(&Sources {
            explicit_file: self.file.clone(),
            folder: &folder,
            environment: environment(),
            ignored_variables: &NOT_SETTINGS,
            adopted: self.adoption.settings.clone(),
            flags: self.flags.clone(),
        })
    }

    /// All layers, checked; or every mistake, of form and of sense.
    pub(crate) fn read(&self) -> Result<Checked, Mistakes> {
        let (loaded, mut mistakes) = self.with_sources(settings::read::<Config>);
        let Some(loaded) = loaded else { return Err(mistakes.into()) };
        match self.check(&loaded, mistakes.is_empty()) {
            Ok((policy, listen, tls)) if mistakes.is_empty() => Ok(Checked { loaded, policy, listen, tls }),
            Ok(_) => Err(mistakes.into()),
            Err(findings) => {
                for finding in findings {
                    add(&mut mistakes, finding, &loaded);
                }
                Err(mistakes.into())
            }
        }
    }

    /// The same settings, with the secrets of now.
    pub(crate) fn again(&self, loaded: Loaded<Config>) -> Result<Checked, Mistakes> {
        match self.check(&loaded, true) {
            Ok((policy, listen, tls)) => Ok(Checked { loaded, policy, listen, tls }),
            Err(findings) => {
                let mut mistakes = Vec::new();
                for finding in findings {
                    add(&mut mistakes, finding, &loaded);
                }
                Err(mistakes.into())
            }
        }
    }

    /// Looks at what the values mean. Only where there is no mistake yet, what is missing is made.
    fn check(
        &self,
        loaded: &Loaded<Config>,
        is_sound: bool,
    ) -> Result<(Policy, Listen, Option<LoadedTls>), Vec<Mistake>> {
        let mut findings = Vec::new();
        let secrets = &loaded.config.secrets;
        findings.extend(secrets.apply().err().into_iter().flatten());
        let listen = loaded.config.listen.parse::<Listen>();
        match &listen {
            Ok(Listen::Unix(path)) => {
                findings.extend(too_long(path).map(|message| Mistake::new("listen", message)));
            }
            Ok(_) => {}
            Err(message) => findings.push(Mistake::new("listen", message.clone())),
        }
        findings.extend(loaded.config.app.check());
        findings.extend(loaded.config.audit.check());
        findings.extend(loaded.config.store.read().err());
        findings.extend(loaded.config.accounts.check(&loaded.config.login));
        findings.extend(loaded.config.login.check());
        findings.extend(loaded.config.metrics.address().err());
        findings.extend(loaded.config.traces.read(true).err());
        let openapi = &loaded.config.contract.openapi;
        if is_url(openapi)
            && let Err(message) = Target::of_url(openapi)
        {
            findings.push(Mistake::new("contract.openapi", message));
        }
        let mut tls = loaded.config.tls.clone();
        tls.dev &= is_sound;
        let tls = tls.read(&loaded.config.state_folder, loaded.config.http2);
        let tls = tls.map_err(|found| findings.extend(found)).ok().flatten();
        let mut controls = loaded.config.controls(listen.as_ref().ok(), tls.as_ref());
        issuer_material::read(&mut controls.issuer, &self.retired, secrets.overlap.0, &mut findings);
        findings.extend(issuer_material::read_upstream_key(&mut controls.api_keys));
        findings.extend(issuer_material::read_nonce_key(&mut controls.dpop));
        findings.extend(issuer_material::read_challenge_key(&mut controls.throttle.challenge));
        condition_files::read(&mut controls.authorization);
        match issuer_material::read_principal_key(&loaded.config.authentication.principal_key) {
            Ok(Some(_)) if self.is_key_given => {}
            Ok(Some(key)) => self.kept.put(key),
            Ok(None) => {}
            Err(finding) => findings.push(finding),
        }
        controls.deployment.server = self.server;
        controls.deployment.kept = self.kept.clone();
        if is_sound || !loaded.config.csrf.token.key_file.is_empty() {
            let (csrf, folder) = (&loaded.config.csrf, &loaded.config.state_folder);
            match csrf_keys::read(csrf, folder, &self.retired, secrets.overlap.0) {
                Ok(keys) => self.kept.put(keys),
                Err(finding) => findings.push(finding),
            }
        }
        let policy = controls.check().map_err(|found| findings.extend(found));
        match (listen, policy) {
            (Ok(listen), Ok(policy)) if findings.is_empty() => Ok((policy, listen, tls)),
            _ => Err(findings),
        }
    }

    /// As [`Reader::read`], at start: notes are said, mistakes end the command.
    pub(crate) fn read_at_start(&self) -> Result<Checked, Failure> {
        let checked =
            self.read().map_err(|mistakes| Failure::usage(summary(&mistakes, "nothing was started")))?;
        let mut notes = [checked.loaded.notes.as_slice(), self.adoption.notes.as_slice()].concat();
        if let Some(port) =
            self.adoption.port.filter(|_| checked.loaded.origins.of("listen") == Origin::Default)
        {
            notes.push(format!(
                "`PORT={port}` is not used; if Mantlet should listen there, pass `--listen 0.0.0.0:{port}`"
            ));
        }
        for note in notes {
            say(format!("note: {note}"));
        }
        Ok(checked)
    }
}

/// What stands in our environment, as far as it is text.
fn environment() -> Vec<(String, String)> {
    let variables = std::env::vars_os();
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Adds what is wrong with the sense of a value. Where the form of something near it was wrong,
/// what only follows from that is left out; and the hint at a better form gives way to what would
/// be said of it.
fn add(mistakes: &mut Vec<Located>, finding: Mistake, loaded: &Loaded<Config>) {
    let section = |key: &str| key.split(['.', '[']).next().unwrap_or_default().to_owned();
    let is_about_default = !loaded.origins.is_set(&finding.key);
    let own = section(&finding.key);
    if is_about_default && mistakes.iter().any(|known| section(&known.key) == own) {
        return;
    }
    let located = loaded.origins.locate(&finding.key, finding.message, finding.help);
    match mistakes.iter_mut().find(|known| known.key == located.key && known.origin == located.origin) {
        Some(known) => {
            known.help = Some(match located.help {
                Some(help) => format!("{}; {help}", located.message),
                None => located.message,
            });
        }
        None => mistakes.push(located),
    }
}

/// Whether a document is at an address, and not in a file.
pub(crate) fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// All mistakes and how many they are.
pub(crate) fn summary(mistakes: &Mistakes, consequence: &str) -> String {
    let count = mistakes.len();
    let noun = if count == 1 { "mistake" } else { "mistakes" };
    format!("{count} {noun} in the configuration; {consequence}\n{mistakes}")
}
