//! Questions to a provider, over our own HTTP client.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header};
use mantlet_gateway::fetch::{Fetched, Question, Target, send};
use serde_json::{Map, Value};

use super::fault::Away;
use crate::settings::Checked;

/// Time for a question.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes that an answer may have.
const MOST: usize = 1 << 20;

/// Fetches a resource; anything but 200 counts as away.
pub(super) async fn get(
    settings: &Checked,
    url: &str,
    authorization: Option<HeaderValue>,
) -> Result<Fetched, Away> {
    let mut question = Question::default();
    if let Some(value) = authorization {
        question = question.with(header::AUTHORIZATION, value);
    }
    let fetched = ask(settings, url, question).await?;
    if fetched.status != StatusCode::OK {
        return Err(Away(format!("`{url}` responds with {}", fetched.status.as_u16())));
    }
    Ok(fetched)
}

/// A JSON object that an access token opens.
pub(super) async fn json_at(settings: &Checked, url: &str, token: &str) -> Result<Map<String, Value>, Away> {
    let mut bearer = HeaderValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Away("the provider's access token cannot stand in a header".into()))?;
    bearer.set_sensitive(true);
    let fetched = get(settings, url, Some(bearer)).await?;
    serde_json::from_slice(&fetched.body).map_err(|_| Away(format!("`{url}` is not a JSON object")))
}

/// Asks, and takes any answer.
pub(super) async fn ask(settings: &Checked, url: &str, question: Question) -> Result<Fetched, Away> {
    let mut target = Target::of_url(url).map_err(Away)?;
    if let Some(authorities) = &settings.authorities {
        target = target.trusting(authorities.clone());
    }
    // On the heap: all that asks a provider would be as large.
    let answer = Box::pin(send(&target, question, PATIENCE, MOST)).await;
    answer.map_err(|error| Away(format!("`{url}`: {error}")))
}
