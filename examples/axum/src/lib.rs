//! A small axum API for notes, and the same API behind Mantlet's controls.
//!
//! [`app`] is what one would write without thinking of security; [`config`] and [`protected`] are all that is added. `cargo run -p
//! mantlet-example-axum` serves them on port 3000.

use std::net::SocketAddr;

use axum::{
    Form, Json, Router,
    body::Bytes,
    extract::{ConnectInfo, Path},
    http::{HeaderMap, StatusCode, header},
    response::{Html, IntoResponse},
    routing::{get, post},
};
use mantlet_controls::{
    Config, Mode,
    audit::Record,
    config::units::Size,
    cookies, cors, csrf, host,
    layer::{InvalidConfig, MantletLayer},
    route,
};
use serde::{Deserialize, Serialize};
use tower_layer::Layer;

/// A note.
#[derive(Debug, Deserialize, Serialize)]
pub struct Note {
    /// What it says.
    pub text: String,
}

/// The API, unprotected.
pub fn app() -> Router {
    Router::new()
        .route("/", get(|| async { Html("<h1>Notes</h1>") }))
        .route("/notes", get(list).post(create))
        .route("/notes/{id}", get(read).delete(|| async { StatusCode::NO_CONTENT }))
        .route("/contact", post(contact))
        .route("/pictures", post(upload))
        .route("/login", post(login))
        .route("/whoami", get(whoami))
}

/// What stands in front of it: every control with its secure defaults, and the few things that only we know.
pub fn config() -> Config {
    Config {
        host: host::Config { allow: vec!["notes.example".into(), "localhost".into()], ..Default::default() },
        cors: cors::Config {
            origins: vec!["https://app.notes.example".into()],
            credentials: true,
            ..Default::default()
        },
        csrf: csrf::Config {
            token: csrf::token::Config { session_cookies: vec!["session".into()], ..Default::default() },
            ..Default::default()
        },
        cookies: cookies::Config { mode: Mode::Enforce, ..Default::default() },
        route: vec![route::Config {
            path: "/pictures".into(),
            limits: route::LimitsConfig { body_size: Some(Size::kib(64)) },
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// The API behind the layer.
///
/// The layer goes around the router. What `Router::layer` adds runs after axum has chosen the route, by the path as it was
/// sent; here the route is chosen by the path that was judged.
pub fn protected(audit: impl Fn(Record) + Send + Sync + 'static) -> Result<Router, InvalidConfig> {
    let protection = MantletLayer::builder()
        .config(config())
        .peer(|extensions| extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0))
        .audit(audit)
        .build()?;
    Ok(Router::new().fallback_service(protection.layer(app())))
}

async fn list() -> Json<Vec<Note>> {
    Json(vec![Note { text: "Buy milk".into() }])
}

async fn create(Json(note): Json<Note>) -> (StatusCode, Json<Note>) {
    (StatusCode::CREATED, Json(note))
}

async fn read(Path(id): Path<u32>) -> Json<Note> {
    Json(Note { text: format!("Note {id}") })
}

async fn contact(Form(note): Form<Note>) -> String {
    format!("Thank you for your {} letters", note.text.len())
}

async fn upload(picture: Bytes) -> String {
    format!("{} bytes", picture.len())
}

async fn login() -> impl IntoResponse {
    ([(header::SET_COOKIE, "session=alice")], "Welcome")
}

/// Only what the controls let through: forged headers are gone.
async fn whoami(headers: HeaderMap) -> String {
    let named =
        |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("nobody").to_owned();
    format!("{} {}", named("x-forwarded-for"), named("x-remote-user"))
}
