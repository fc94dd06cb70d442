//! Secrets that stand where they belong: in variables, files, credentials of systemd and commands.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use crate::kit::{
    Client,
    command::{Finished, Typed},
    eventually, provided,
};

/// An app that says what it was given.
const APP: &str = "
import os
from fastapi import FastAPI
app = FastAPI()
assert os.environ['AT_IMPORT']

@app.get('/given')
def given():
    return {name: value for name, value in os.environ.items() if name.startswith('GIVEN_')}
";

fn typed(arguments: &[&str], config: &str) -> Typed {
    Typed::mantlet(arguments).file("main.py", APP).file("mantlet.toml", config)
}

fn credentials(folder: &Path) -> String {
    fs::write(folder.join("db"), "postgres://user:s3cret@db/shop\n").unwrap();
    folder.to_str().unwrap().to_owned()
}

const ENV: &str = r#"
[app.env]
AT_IMPORT = "yes"
GIVEN_PLAIN = "info"
GIVEN_FILE = "file:key"
GIVEN_CREDENTIAL = "cred:db"
GIVEN_COMMAND = 'cmd:["printf", "%s\n", "from a command"]'
GIVEN_VARIABLE = "env:ELSEWHERE"
GIVEN_TEXT = "text:file:./dev.db"
"#;

#[test]
fn the_app_is_given_secrets_without_knowing_where_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let process = Typed::run(&[])
        .file("main.py", APP)
        .file("mantlet.toml", ENV)
        .file("key", "s3cret-of-a-file\n")
        .variable("CREDENTIALS_DIRECTORY", credentials(folder.path()))
        .variable("ELSEWHERE", "of-a-variable")
        .start();
    let given = Client::connect(process.ready()).get("/given").json();
    assert_eq!(
        given,
        serde_json::json!({
            "GIVEN_PLAIN": "info",
            "GIVEN_FILE": "s3cret-of-a-file",
            "GIVEN_CREDENTIAL": "postgres://user:s3cret@db/shop",
            "GIVEN_COMMAND": "from a command",
            "GIVEN_VARIABLE": "of-a-variable",
            "GIVEN_TEXT": "file:./dev.db",
        })
    );
    assert!(!process.stderr().contains("s3cret"), "{}", process.stderr());
}

/// The commands that import the app give it the same.
#[test]
fn the_app_is_read_with_its_secrets() {
    let said = typed(&["contract", "main:app"], "[app.env]\nAT_IMPORT = \"yes\"\n").finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = typed(&["contract", "main:app"], "").finish();
    assert_ne!(said.code, Some(0));
}

#[test]
fn what_is_missing_at_the_start_is_named() {
    for (value, says) in [
        ("env:NO_SUCH_VARIABLE", "the variable `NO_SUCH_VARIABLE` is not set"),
        ("file:no-such-file", "`no-such-file` cannot be read"),
        ("cred:db", "`$CREDENTIALS_DIRECTORY` is not set"),
        ("cmd:printf x", "a command is a list in JSON"),
        ("cmd:[\\\"false\\\"]", "the command `false` has failed"),
    ] {
        let config = format!("[app.env]\nAT_IMPORT = \"yes\"\nDATABASE_URL = \"{value}\"\n");
        let said = Typed::run(&[]).file("main.py", APP).file("mantlet.toml", &config).finish();
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(said.stderr.contains("app.env.DATABASE_URL"), "{}", said.stderr);
        assert!(said.stderr.contains(says), "{says:?} is not in\n{}", said.stderr);
    }
}

#[test]
fn the_configuration_shows_no_value_of_the_app() {
    let config = "[app.env]\nDATABASE_URL = \"postgres://user:s3cret@db/shop\"\nOTHER = \"file:key\"\n";
    let said = typed(&["config", "show"], config).file("key", "s3cret-of-a-file").finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(!said.stdout.contains("s3cret"), "{}", said.stdout);
    assert!(said.stdout.contains("file:key"), "{}", said.stdout);
}

fn check(arguments: &[&str], config: &str) -> Finished {
    typed(&[&["secrets", "check"], arguments].concat(), config)
        .file("key", "s3cret-of-a-file\n")
        .file("salt", "0123456789abcdef0123456789abcdef\n")
        .finish()
}

#[test]
fn secrets_are_checked_and_never_shown() {
    let config = "[app.env]\nONE = \"file:key\"\nTWO = \"env:NO_SUCH_VARIABLE\"\nPLAIN = \"info\"\n";
    let said = check(&[], config);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    assert!(lines[1].starts_with("app.env.ONE"), "{}", said.stdout);
    assert!(lines[2].ends_with("the variable `NO_SUCH_VARIABLE` is not set"), "{}", said.stdout);
    assert!(said.stderr.contains("1 secret cannot be read"), "{}", said.stderr);
    let said = check(&["--salt", "file:salt", "--json"], config);
    assert!(!said.stdout.contains("s3cret"), "{}", said.stdout);
    let found: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(found[0]["fingerprint"].as_str().unwrap().len(), 16);
    assert!(found[0]["age_seconds"].is_u64());
    let said = check(&[], "");
    assert_eq!((said.code, said.stdout.trim_end()), (Some(0), "the configuration names no secrets"));
}

#[test]
fn a_file_that_others_can_read_is_said() {
    let typed = typed(&["secrets", "check"], "[app.env]\nONE = \"file:key\"\n").file("key", "s3cret");
    fs::set_permissions(typed.folder().join("key"), fs::Permissions::from_mode(0o644)).unwrap();
    let said = typed.finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    assert!(said.stdout.contains("every user of this machine can read it: `chmod 600`"), "{}", said.stdout);
}

#[test]
fn one_secret_in_two_environments_is_an_error() {
    let config = "[app.env]\nONE = \"file:key\"\n";
    let production = check(&["--salt", "file:salt", "--json"], config).stdout;
    let against = |name: &str, secret: &str| {
        typed(&["secrets", "check", "--salt", "file:salt", "--against", name], config)
            .file("key", secret)
            .file("salt", "0123456789abcdef0123456789abcdef\n")
            .file("production.json", &production)
            .file("empty.json", "[]")
            .finish()
    };
    let said = against("production.json", "s3cret-of-a-file");
    assert_eq!(said.code, Some(1));
    let due = "`app.env.ONE` is the same secret as `app.env.ONE` of the other environment";
    assert!(said.stderr.contains(due), "{}", said.stderr);
    assert_eq!(against("production.json", "another").code, Some(0));
    let said = against("empty.json", "another");
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("has no fingerprints"), "{}", said.stderr);
}

/// moto, which stands in for AWS.
struct Aws {
    port: u16,
    process: Child,
}

impl Aws {
    fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(provided("MANTLET_TEST_AWS"));
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        eventually("moto listens", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { port, process }
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What Amazon's own client does.
    fn client(&self, script: &str) {
        let start = format!(
            "import boto3\nsm = boto3.client('secretsmanager', endpoint_url='{}', region_name='eu-central-1', \
             aws_access_key_id='x', aws_secret_access_key='y')\n",
            self.address()
        );
        let done =
            Command::new(provided("MANTLET_TEST_AWS")).args(["-c", &(start + script)]).status().unwrap();
        assert!(done.success());
    }

    fn with(&self, typed: Typed) -> Typed {
        typed
            .variable("AWS_ENDPOINT_URL_SECRETS_MANAGER", self.address())
            .variable("AWS_REGION", "eu-central-1")
            .variable("AWS_ACCESS_KEY_ID", "AKIAX")
            .variable("AWS_SECRET_ACCESS_KEY", "s3cret-key")
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn aws_gives_the_app_its_secrets_and_may_be_away_later() {
    let aws = Aws::start();
    aws.client("sm.create_secret(Name='prod/shop', SecretString='{\"url\": \"postgres://s3cret\"}')");
    aws.client(&format!("sm.create_secret(Name='issuer', SecretString='{:064x}')", 1));
    let config = "[secrets]\nrefresh = \"200ms\"\n[app.env]\nAT_IMPORT = \"yes\"\nGIVEN_URL = \"aws-sm:prod/shop#url\"\n\
                  [[issuer]]\nissuer = \"https://id.example\"\naudience = [\"shop\"]\nsecret = \"aws-sm:issuer\"\n";
    let said = aws.with(typed(&["secrets", "check"], config)).finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let line = said.stdout.lines().find(|line| line.starts_with("app.env.GIVEN_URL")).unwrap();
    assert!(line.contains("aws-sm:prod/shop#url") && line.contains("less than a day"), "{line}");
    assert!(!said.stdout.contains("s3cret"), "{}", said.stdout);
    let process = aws.with(Typed::run(&[]).file("main.py", APP).file("mantlet.toml", config)).start();
    let given = Client::connect(process.ready()).get("/given").json();
    assert_eq!(given, serde_json::json!({"GIVEN_URL": "postgres://s3cret"}));
    aws.client("sm.put_secret_value(SecretId='prod/shop', SecretString='{\"url\": \"other\"}')");
    process.line("the secret of `app.env.GIVEN_URL` is another one");
    aws.client(&format!("sm.put_secret_value(SecretId='issuer', SecretString='{:064x}')", 2));
    process.line("`issuer[0].secret` changed; what is there now is in force");
    let mut aws = aws;
    aws.process.kill().unwrap();
    process.line("error: `aws-sm:prod/shop` cannot be read again: AWS Secrets Manager at");
    process.line("error: `aws-sm:issuer` cannot be read again");
    assert_eq!(Client::connect(process.ready()).get("/given").status, 200);
    assert!(!process.stderr().contains("s3cret"), "{}", process.stderr());
    // One that starts now does not start.
    let said = aws.with(Typed::run(&[]).file("main.py", APP).file("mantlet.toml", config)).finish();
    assert_eq!(said.code, Some(2), "{}", said.stderr);
    assert!(said.stderr.contains("app.env.GIVEN_URL: AWS Secrets Manager at"), "{}", said.stderr);
}

#[test]
fn servers_of_secrets_are_configured_by_reference_alone() {
    for (config, says) in [
        ("[app.env]\nX = \"vault:secret/shop#x\"", "set `VAULT_ADDR`, or `address` under `[secrets.vault]`"),
        ("[app.env]\nX = \"vault:secret/shop\"", "`vault:secret/shop` names no field"),
        (
            "[secrets.vault]\ntoken = \"hvs.s3cret\"",
            "secrets.vault.token: a secret does not belong in the configuration",
        ),
        ("[secrets.vault]\ntoken = \"vault:a#b\"", "what is needed to ask a server cannot be on a server"),
        ("[secrets.vault]\nrole-id = \"a\"\nkubernetes-role = \"b\"", "more than one login is configured"),
        ("[secrets.vault]\nsecret-id = \"file:x\"", "there is a secret id without a `role-id`"),
        ("[secrets]\nwatch = \"1ms\"", "secrets.watch: `1ms` is shorter than 100ms"),
    ] {
        let said = Typed::run(&[]).file("main.py", APP).file("mantlet.toml", config).finish();
        assert_eq!(said.code, Some(2), "{config}: {}", said.stderr);
        assert!(said.stderr.contains(says), "{says:?} is not in\n{}", said.stderr);
        assert!(!said.stderr.contains("s3cret"), "{}", said.stderr);
    }
    let config =
        "[secrets.vault]\naddress = \"https://vault.example\"\nrole-id = \"gate\"\nsecret-id = \"file:id\"\n";
    let said = typed(&["config", "show"], config).finish();
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    for shown in ["https://vault.example", "gate", "file:id"] {
        assert!(said.stdout.contains(shown), "{}", said.stdout);
    }
}
