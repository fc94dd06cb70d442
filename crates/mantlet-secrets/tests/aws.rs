//! Against moto, which stands in for AWS.

#![cfg(feature = "aws")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::needless_pass_by_value,
    clippy::assigning_clones,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod kit;

use std::{
    collections::HashMap,
    env,
    io::{Read, Write},
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use kit::{free_port, settings, until, wait_for, write};
use mantlet_secrets::{Event, Keeper, Place, Settings, Vault};

struct Aws {
    port: u16,
    process: Child,
}

impl Aws {
    fn start() -> Self {
        Self::on(free_port(), None)
    }

    /// After so many requests it judges signatures, if that is said.
    fn on(port: u16, open: Option<u8>) -> Self {
        let python = env::var_os("MANTLET_TEST_AWS").expect("`cargo xtask test` sets MANTLET_TEST_AWS");
        let mut command = Command::new(python);
        command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()]);
        if let Some(open) = open {
            command.env("INITIAL_NO_AUTH_ACTION_COUNT", open.to_string());
        }
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let aws = Self { port, process };
        until("moto answers", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        aws
    }

    fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What Amazon's own client does.
    fn client(&self, script: &str) -> String {
        let python = env::var_os("MANTLET_TEST_AWS").unwrap();
        let start = format!(
            "import boto3\ndef of(name): return boto3.client(name, endpoint_url='{}', region_name='eu-central-1', \
             aws_access_key_id='x', aws_secret_access_key='y')\nsm = of('secretsmanager')\n",
            self.address()
        );
        let done = Command::new(python).args(["-c", &(start + script)]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap().trim().to_owned()
    }

    fn settings(&self, variables: &[(&str, &str)]) -> Settings {
        let address = self.address();
        let own = [("AWS_ENDPOINT_URL_SECRETS_MANAGER", address.as_str()), ("AWS_REGION", "eu-central-1")];
        let own = own.into_iter().chain([("AWS_EC2_METADATA_DISABLED", "true")]);
        let all = own.chain(variables.iter().copied());
        let variables: HashMap<_, _> = all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Settings { variables: Arc::new(variables), ..settings(Vault::default()) }
    }

    fn keeper(&self, variables: &[(&str, &str)]) -> Keeper {
        Keeper::start(self.settings(variables)).unwrap()
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "s3cret-key")];

fn read(keeper: &Keeper, place: &str) -> Result<String, String> {
    let known = keeper.read(&Place::of_aws(place).unwrap());
    known.map(|known| String::from_utf8(known.bytes).unwrap())
}

#[test]
fn a_secret_is_read_whole_and_by_its_fields() {
    let aws = Aws::start();
    let arn = aws.client(
        "arn = sm.create_secret(Name='prod/shop', SecretString='{\"url\": \"postgres://s3cret\", \"port\": 5432}')['ARN']\n\
         sm.create_secret(Name='plain', SecretString='s3cret')\n\
         sm.create_secret(Name='binary', SecretBinary=b'\\x01\\x02')\nprint(arn)",
    );
    let keeper = aws.keeper(&KEYS);
    assert_eq!(read(&keeper, "prod/shop#url").as_deref(), Ok("postgres://s3cret"));
    assert_eq!(read(&keeper, "prod/shop#port").as_deref(), Ok("5432"));
    assert_eq!(read(&keeper, &format!("{arn}#port")).as_deref(), Ok("5432"));
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("s3cret"));
    assert_eq!(read(&keeper, "binary").as_deref(), Ok("\u{1}\u{2}"));
    let known = keeper.read(&Place::of_aws("plain").unwrap()).unwrap();
    let age = SystemTime::now().duration_since(known.created.unwrap()).unwrap();
    assert!(age < Duration::from_mins(2), "{age:?}");
    for (place, says) in [
        ("prod/shop#password", "there is no field `password`; it has `port`, `url`"),
        ("plain#url", "it is not an object in JSON, and has no field `url`; leave `#url` out"),
        ("none", "there is no secret `none` in eu-central-1"),
    ] {
        let why = read(&keeper, place).unwrap_err();
        assert!(why.contains(says), "{place}: {why}");
        assert!(!why.contains("s3cret"), "{why}");
    }
}

#[test]
fn signatures_are_judged() {
    let aws = Aws::on(free_port(), Some(5));
    let made = aws.client(
        "import json\niam = of('iam')\nsm.create_secret(Name='plain', SecretString='s3cret')\n\
         sm.create_secret(Name='other', SecretString='s3cret')\niam.create_user(UserName='gate')\n\
         rule = {'Effect': 'Allow', 'Action': 'secretsmanager:GetSecretValue', 'Resource': '*'}\n\
         iam.put_user_policy(UserName='gate', PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', 'Statement': [rule]}))\n\
         key = iam.create_access_key(UserName='gate')['AccessKey']\nprint(key['AccessKeyId'], key['SecretAccessKey'])",
    );
    let (id, key) = made.split_once(' ').unwrap();
    let with = |id, key| aws.keeper(&[("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", key)]);
    assert_eq!(read(&with(id, key), "plain").as_deref(), Ok("s3cret"));
    let why = read(&with(id, "another"), "plain").unwrap_err();
    assert!(why.contains("SignatureDoesNotMatch"), "{why}");
    let why = read(&with("AKIANONE", key), "plain").unwrap_err();
    assert!(why.contains("InvalidClientTokenId"), "{why}");
    assert!(!why.contains(key), "{why}");
}

#[test]
fn what_is_missing_to_ask_is_named() {
    let aws = Aws::start();
    let mut settings = aws.settings(&KEYS);
    settings.variables = Arc::new(HashMap::new());
    let why = read(&Keeper::start(settings).unwrap(), "x").unwrap_err();
    assert!(why.contains("`aws-sm:` needs a region: set `AWS_REGION`"), "{why}");
    let why = read(&aws.keeper(&[]), "x").unwrap_err();
    assert!(why.contains("there are no credentials in variables, shared files, a web identity"), "{why}");
}

/// A role of a pod (IRSA): its token is exchanged for credentials.
#[test]
fn a_web_identity_is_exchanged_for_credentials() {
    let aws = Aws::start();
    aws.client("sm.create_secret(Name='plain', SecretString='s3cret')");
    let folder = tempfile::tempdir().unwrap();
    let token = write(folder.path(), "token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.");
    let address = aws.address();
    let keeper = aws.keeper(&[
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/gate"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", &address),
    ]);
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("s3cret"));
}

#[test]
fn shared_files_hold_credentials() {
    let aws = Aws::start();
    aws.client("sm.create_secret(Name='plain', SecretString='s3cret')");
    let folder = tempfile::tempdir().unwrap();
    let file =
        write(folder.path(), "credentials", "[shop]\naws_access_key_id = AKIAX\naws_secret_access_key = y\n");
    let keeper =
        aws.keeper(&[("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap()), ("AWS_PROFILE", "shop")]);
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("s3cret"));
}

/// What the agent of a container (ECS, EKS Pod Identity) or an instance says, on a real socket. Says what it was asked.
fn answering(answers: &'static [(&'static str, &'static str)]) -> (u16, std::sync::mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, asked) = std::sync::mpsc::channel();
    thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && socket.read(&mut byte).is_ok_and(|read| read > 0) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let body = answers.iter().find(|(start, _)| head.starts_with(&start.to_lowercase()));
            let (status, body) = body.map_or(("404 Not Found", ""), |(_, body)| ("200 OK", *body));
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(answer.as_bytes());
            let _ = tell.send(head);
        }
    });
    (port, asked)
}

const CREDENTIALS: &str = r#"{"Code": "Success", "AccessKeyId": "ASIAX", "SecretAccessKey": "y", "Token": "session", "Expiration": "2199-01-01T00:00:00Z", "LastUpdated": "2020-01-01T00:00:00Z", "Type": "AWS-HMAC"}"#;

#[test]
fn a_container_has_credentials() {
    let aws = Aws::start();
    aws.client("sm.create_secret(Name='plain', SecretString='s3cret')");
    let (port, asked) = answering(&[("GET /v1/credentials ", CREDENTIALS)]);
    let folder = tempfile::tempdir().unwrap();
    let token = write(folder.path(), "token", "of-the-pod");
    let keeper = aws.keeper(&[
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("http://127.0.0.1:{port}/v1/credentials")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token.to_str().unwrap()),
    ]);
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("s3cret"));
    let head = asked.recv_timeout(kit::LONGEST).unwrap();
    assert!(head.contains("authorization: of-the-pod"), "{head}");
}

#[test]
fn an_instance_has_credentials_behind_a_token() {
    let aws = Aws::start();
    aws.client("sm.create_secret(Name='plain', SecretString='s3cret')");
    let (port, asked) = answering(&[
        ("PUT /latest/api/token ", "of-the-instance"),
        ("GET /latest/meta-data/iam/security-credentials/ ", "gate"),
        ("GET /latest/meta-data/iam/security-credentials/gate ", CREDENTIALS),
    ]);
    let service = format!("http://127.0.0.1:{port}");
    let keeper = aws
        .keeper(&[("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &service)]);
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("s3cret"));
    let heads: Vec<_> = asked.try_iter().collect();
    assert_eq!(heads.len(), 3, "{heads:?}");
    let has_token = |head: &&String| head.contains("x-aws-ec2-metadata-token: of-the-instance");
    assert_eq!(heads.iter().skip(1).filter(has_token).count(), 2, "{heads:?}");
}

#[test]
fn a_rotated_secret_is_seen_and_the_last_one_stays_while_aws_is_away() {
    let aws = Aws::start();
    aws.client("sm.create_secret(Name='plain', SecretString='first')");
    let keeper = aws.keeper(&KEYS);
    let mut events = keeper.events().unwrap();
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("first"));
    aws.client("sm.put_secret_value(SecretId='plain', SecretString='second')");
    wait_for(&mut events, |event| matches!(event, Event::Changed(_)));
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("second"));
    let port = aws.port;
    drop(aws);
    let event = wait_for(&mut events, |event| matches!(event, Event::Failed(..)));
    let Event::Failed(_, why) = event else { panic!("another event") };
    assert!(why.contains("does not respond"), "{why}");
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("second"));
    let aws = Aws::on(port, None);
    // Its memory is gone with it.
    let why = read(&aws.keeper(&KEYS), "plain").unwrap_err();
    assert!(why.contains("there is no secret `plain`"), "{why}");
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("second"));
    aws.client("sm.create_secret(Name='plain', SecretString='third')");
    wait_for(&mut events, |event| matches!(event, Event::Changed(_)));
    assert_eq!(read(&keeper, "plain").as_deref(), Ok("third"));
}
