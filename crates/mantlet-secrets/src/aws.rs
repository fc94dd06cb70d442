//! AWS Secrets Manager. Signatures and credentials are those of `reqsign`; the questions go the way of all others.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use mantlet_controls::config::Secret;
use mantlet_gateway::fetch::{Question, Target, send};
use reqsign_aws_v4::{
    AssumeRoleWithWebIdentityCredentialProvider, Credential, ECSCredentialProvider, EnvCredentialProvider,
    IMDSv2CredentialProvider, ProfileCredentialProvider, RequestSigner,
};
use reqsign_core::{
    Context, Error, FileRead, HttpSend, ProvideCredential, Signer, StaticEnv, hash::hex_sha256,
};
use serde_json::{Value, json};

use crate::{
    PATIENCE,
    found::{Found, Trouble},
    settings::Settings,
};

/// Bytes of an answer, at most. A secret has up to 64 KiB.
const LONGEST: usize = 1 << 20;
/// How long a service of the machine itself may take. Where there is none, nothing answers.
const NEAR: Duration = Duration::from_secs(2);

/// A client of the service, with the credentials of this machine.
pub(crate) struct SecretsManager {
    region: String,
    endpoint: String,
    variables: Arc<HashMap<String, String>>,
    signer: Option<(String, Signer<Credential>)>,
}

impl SecretsManager {
    pub(crate) fn new(settings: &Settings) -> Self {
        let or = |set: &str, names| if set.is_empty() { settings.variable(names) } else { set.to_owned() };
        Self {
            region: or(&settings.aws.region, &["AWS_REGION", "AWS_DEFAULT_REGION"]),
            endpoint: or(&settings.aws.endpoint, &["AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"]),
            variables: Arc::clone(&settings.variables),
            signer: None,
        }
    }

    /// Reads a secret. With other credentials, if those at hand have expired.
    pub(crate) async fn read(&mut self, name: &str) -> Result<Found, Trouble> {
        let known = self.signer.is_some();
        match self.read_once(name).await {
            Err(NotRead::Expired(_)) if known => {
                self.signer = None;
                self.read_once(name).await.map_err(NotRead::into_trouble)
            }
            other => other.map_err(NotRead::into_trouble),
        }
    }

    async fn read_once(&mut self, name: &str) -> Result<Found, NotRead> {
        let region = self.region(name)?;
        let url = self.endpoint(&region);
        let (_, signer) = match &self.signer {
            Some(known) if known.0 == region => known,
            _ => self.signer.insert((region.clone(), signer(&region, &self.variables))),
        };
        let body = json!({"SecretId": name}).to_string();
        let invalid = |_| NotRead::refused(format!("`{url}` is not the address of a service"));
        let request = Request::post(&url)
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", "secretsmanager.GetSecretValue")
            .header("x-amz-content-sha256", hex_sha256(body.as_bytes()))
            .body(())
            .map_err(invalid)?;
        let (mut parts, ()) = request.into_parts();
        signer.sign(&mut parts, None).await.map_err(|error| NotRead::refused(format!("AWS: {error}")))?;
        let question = Question { method: parts.method, headers: parts.headers, body: body.into() };
        let target = Target::of_url(&url).map_err(NotRead::refused)?;
        let answer = send(&target, question, PATIENCE, LONGEST).await;
        let answer = answer.map_err(|error| {
            NotRead::Trouble(Trouble::Away(format!("AWS Secrets Manager at {url} does not respond: {error}")))
        })?;
        // What stands between us and the service may say it in other words.
        let said =
            serde_json::from_slice(&answer.body).unwrap_or_else(|_| json!({"message": text(&answer.body)}));
        if answer.status.is_success() {
            return found(&said).ok_or_else(|| NotRead::refused(format!("the secret `{name}` has no value")));
        }
        Err(why(name, &region, answer.status.as_u16(), &said))
    }

    /// The region of an ARN is the one that it is in.
    fn region(&self, name: &str) -> Result<String, NotRead> {
        let of_arn = name.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        let all = [of_arn.unwrap_or_default(), &self.region];
        let region = all.into_iter().find(|region| !region.is_empty()).map(str::to_owned);
        region.ok_or_else(|| {
            NotRead::refused(
                "`aws-sm:` needs a region: set `AWS_REGION`, or `region` under `[secrets.aws]`".to_owned(),
            )
        })
    }

    fn endpoint(&self, region: &str) -> String {
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let of_region = || format!("https://secretsmanager.{region}.{domain}");
        let url = if self.endpoint.is_empty() { of_region() } else { self.endpoint.clone() };
        format!("{}/", url.trim_end_matches('/'))
    }
}

enum NotRead {
    /// The credentials are not, or no longer, good.
    Expired(String),
    Trouble(Trouble),
}

impl NotRead {
    const fn refused(why: String) -> Self {
        Self::Trouble(Trouble::Refused(why))
    }

    fn into_trouble(self) -> Trouble {
        match self {
            Self::Expired(why) => Trouble::Refused(why),
            Self::Trouble(trouble) => trouble,
        }
    }
}

fn found(said: &Value) -> Option<Found> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let text = said.get("SecretString").and_then(Value::as_str);
    let binary = || BASE64_STANDARD.decode(said.get("SecretBinary")?.as_str()?).ok();
    let whole = text.map(|text| text.as_bytes().to_vec()).or_else(binary)?;
    let object = serde_json::from_slice::<Value>(&whole).ok();
    let mut found =
        Found::of_object(object.as_ref().and_then(Value::as_object).unwrap_or(&serde_json::Map::new()));
    found.whole = Some(Secret::new(whole));
    let created = said.get("CreatedDate").and_then(Value::as_f64);
    found.created = created
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since));
    Some(found)
}

/// The beginning of a text, in one line.
fn text(body: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(body).chars().take(400).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a refusal means.
fn why(name: &str, region: &str, status: u16, said: &Value) -> NotRead {
    let kind = said.get("__type").and_then(Value::as_str).unwrap_or_default();
    let kind = kind.rsplit('#').next().unwrap_or_default();
    let words = ["message", "Message"].iter().find_map(|key| said.get(key)?.as_str()).unwrap_or_default();
    let why = match kind {
        "ResourceNotFoundException" => format!("there is no secret `{name}` in {region}: {words}"),
        "AccessDeniedException" => {
            format!("AWS denies `secretsmanager:GetSecretValue` on `{name}` in {region}: {words}")
        }
        "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidSignatureException" => {
            return NotRead::Expired(format!("AWS does not take the credentials ({kind}): {words}"));
        }
        _ if status >= 500 || kind == "ThrottlingException" => {
            let why = format!("AWS Secrets Manager says {status} ({kind}): {words}");
            return NotRead::Trouble(Trouble::Away(why));
        }
        _ => format!("AWS Secrets Manager says {status} ({kind}) to `{name}` in {region}: {words}"),
    };
    NotRead::refused(why)
}

fn signer(region: &str, variables: &HashMap<String, String>) -> Signer<Credential> {
    let (home, sts) = (variables.get("HOME"), variables.get("AWS_ENDPOINT_URL_STS"));
    let environment = StaticEnv { home_dir: home.map(PathBuf::from), envs: variables.clone() };
    let fetch = Fetch { sts: sts.cloned().unwrap_or_default() };
    let context = Context::new().with_env(environment).with_file_read(Files).with_http_send(fetch);
    Signer::new(context, OfThisMachine::default(), RequestSigner::new("secretsmanager", region))
}

/// Credentials where AWS documents that they are, in its order.
#[derive(Debug, Default)]
struct OfThisMachine {
    variables: EnvCredentialProvider,
    files: ProfileCredentialProvider,
    web_identity: AssumeRoleWithWebIdentityCredentialProvider,
    container: ECSCredentialProvider,
    machine: IMDSv2CredentialProvider,
}

impl ProvideCredential for OfThisMachine {
    type Credential = Credential;

    async fn provide_credential(&self, context: &Context) -> reqsign_core::Result<Option<Credential>> {
        let mut troubles = Vec::new();
        macro_rules! ask {
            ($($provider:expr, $what:literal);+) => {$(
                match $provider.provide_credential(context).await {
                    Ok(Some(credential)) => return Ok(Some(credential)),
                    Ok(None) => {}
                    Err(error) => troubles.push(format!("{}: {error}", $what)),
                }
            )+};
        }
        ask!(
            self.variables, "variables";
            self.files, "shared files";
            self.web_identity, "web identity";
            self.container, "container";
            self.machine, "instance metadata"
        );
        let places = "in variables, shared files, a web identity, a container or the instance metadata";
        let troubles =
            if troubles.is_empty() { String::new() } else { format!(" ({})", troubles.join("; ")) };
        Err(Error::credential_invalid(format!("there are no credentials {places}{troubles}")))
    }
}

/// Files as they are.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        // Small, of this machine, and on a thread that does nothing else.
        fs::read(path).map_err(|error| Error::config_invalid(format!("`{path}` cannot be read: {error}")))
    }
}

/// The gate's client.
#[derive(Debug)]
struct Fetch {
    /// The address of STS, if it is not Amazon's.
    sts: String,
}

impl HttpSend for Fetch {
    async fn http_send(&self, request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let url = self.redirected(&parts.uri);
        let is_near = parts.uri.host().is_some_and(|host| host.starts_with("169.254."));
        let patience = if is_near { NEAR } else { PATIENCE };
        let target = Target::of_url(&url).map_err(Error::config_invalid)?;
        let question = Question { method: parts.method, headers: parts.headers, body };
        let fetched = send(&target, question, patience, LONGEST).await;
        let fetched =
            fetched.map_err(|error| Error::unexpected(format!("{url} does not respond: {error}")))?;
        let mut response = Response::new(fetched.body);
        (*response.status_mut(), *response.headers_mut()) = (fetched.status, fetched.headers);
        Ok(response)
    }
}

impl Fetch {
    fn redirected(&self, uri: &Uri) -> String {
        let is_sts =
            uri.host().is_some_and(|host| host.starts_with("sts.") && host.contains("amazonaws.com"));
        match uri.path_and_query() {
            Some(path) if is_sts && !self.sts.is_empty() => {
                format!("{}{path}", self.sts.trim_end_matches('/'))
            }
            _ => uri.to_string(),
        }
    }
}
