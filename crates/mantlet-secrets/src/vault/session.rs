//! A session: a token, how it came to be, and when it is renewed.

use std::{
    fs,
    time::{Duration, Instant},
};

use http::Method;
use mantlet_controls::config::Secret;
use serde_json::{Value, json};

use super::server::{Answer, Server};
use crate::{
    AGAIN,
    found::Trouble,
    settings::{Login, ReadHere, Vault as Settings},
    two_thirds,
};

pub(super) struct Session {
    pub(super) token: Secret<String>,
    /// When it is to be renewed. None: it does not end.
    pub(super) due: Option<Instant>,
    is_renewable: bool,
    /// How long it was good for when it began.
    time: Option<Duration>,
}

impl Session {
    /// Logs in.
    pub(super) async fn begin(
        server: &Server,
        settings: &Settings,
        read: &ReadHere,
    ) -> Result<Self, Trouble> {
        let refused = |why: String| Trouble::Refused(why);
        let mounted = |default| match settings.login_path.trim_matches('/') {
            "" => default,
            path => path,
        };
        match &settings.login {
            None => Err(refused(
                "`vault:` needs a login: set `VAULT_TOKEN`, or `token`, `role-id` or `kubernetes-role` under \
                 `[secrets.vault]`"
                    .to_owned(),
            )),
            Some(Login::Token(place)) => {
                let token =
                    text(read, place).map_err(|why| refused(format!("the token for `vault:`: {why}")))?;
                Self::of_token(server, place, token.into()).await
            }
            Some(Login::AppRole(role, secret)) => {
                let mut body = json!({"role_id": role});
                if !secret.is_empty() {
                    let secret = text(read, secret)
                        .map_err(|why| refused(format!("the secret id for `vault:`: {why}")))?;
                    body = json!({"role_id": role, "secret_id": secret});
                }
                Self::log_in(server, mounted("approle"), &body).await
            }
            Some(Login::Kubernetes(role, file)) => {
                let jwt = fs::read_to_string(file).map_err(|error| {
                    refused(format!("the token of the service account `{}`: {error}", file.display()))
                })?;
                let body = json!({"role": role, "jwt": jwt.trim()});
                Self::log_in(server, mounted("kubernetes"), &body).await
            }
        }
    }

    /// With a token that others have made. How long it lives, it may not be allowed to ask.
    async fn of_token(server: &Server, place: &str, token: Secret<String>) -> Result<Self, Trouble> {
        let answer = server.ask(Method::GET, "auth/token/lookup-self", Some(&token), None).await?;
        if answer.is_good() {
            let is_renewable = answer.body.pointer("/data/renewable").and_then(Value::as_bool);
            let time = answer.seconds("/data/ttl");
            return Ok(Self { token, due: due(time), is_renewable: is_renewable.unwrap_or_default(), time });
        }
        // A token without the policy `default` is denied this question alone. What it may, reading shows.
        let why = answer.errors();
        if !why.contains("invalid token") && !why.contains("bad token") {
            return Ok(Self { token, due: None, is_renewable: false, time: None });
        }
        Err(Trouble::Refused(format!(
            "{server} does not take the token in `{place}` ({why}): it has expired, was revoked or is of another \
             server; put a new one there"
        )))
    }

    async fn log_in(server: &Server, method: &str, body: &Value) -> Result<Self, Trouble> {
        let answer = server.ask(Method::POST, &format!("auth/{method}/login"), None, Some(body)).await?;
        let token = answer.body.pointer("/auth/client_token").and_then(Value::as_str);
        match token {
            Some(token) if answer.is_good() => {
                let (time, is_renewable) = of_auth(&answer);
                Ok(Self { token: token.to_owned().into(), due: due(time), is_renewable, time })
            }
            _ => Err(Trouble::Refused(format!(
                "{server} refuses the login by `auth/{method}`: {}",
                answer.errors()
            ))),
        }
    }

    /// Makes it last longer.
    pub(super) async fn renew(&mut self, server: &Server) -> Result<(), Trouble> {
        if !self.is_renewable {
            return Err(Trouble::Refused("the token cannot be renewed".to_owned()));
        }
        let body = json!({});
        let answer =
            server.ask(Method::POST, "auth/token/renew-self", Some(&self.token), Some(&body)).await?;
        if !answer.is_good() {
            return Err(Trouble::Refused(answer.errors()));
        }
        let (time, is_renewable) = of_auth(&answer);
        (self.due, self.is_renewable) = (due(time), is_renewable);
        // Near the longest time that it may have, a renewal brings little.
        let is_enough = time.zip(self.time).is_none_or(|(now, first)| now >= first / 2);
        if is_enough { Ok(()) } else { Err(Trouble::Refused("the token lives no longer".to_owned())) }
    }

    /// Not renewed: soon again.
    pub(super) fn try_again(&mut self) {
        self.due = Some(Instant::now() + AGAIN);
    }
}

fn of_auth(answer: &Answer) -> (Option<Duration>, bool) {
    let renewable = answer.body.pointer("/auth/renewable").and_then(Value::as_bool);
    (answer.seconds("/auth/lease_duration"), renewable.unwrap_or_default())
}

fn due(time: Option<Duration>) -> Option<Instant> {
    time.map(|time| Instant::now() + two_thirds(time))
}

fn text(read: &ReadHere, place: &str) -> Result<String, String> {
    let bytes = read(place)?;
    let text = String::from_utf8(bytes).map_err(|_| format!("`{place}` is not text in UTF-8"))?;
    Ok(text.trim().to_owned())
}
