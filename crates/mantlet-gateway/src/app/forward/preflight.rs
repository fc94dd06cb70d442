//! Asks the app's own CORS about a page.

use std::{future::poll_fn, pin::Pin, time::Duration};

use http::Request;
use http_body::Body;
use mantlet_controls::{
    Call, Reason,
    cors::{Own, Silence},
};

use super::Forward;
use crate::app::{request_body::AppRequestBody, response_body::AppResponseBody};

/// Time for the response. A middleware sends it, which only reads headers.
const PATIENCE: Duration = Duration::from_secs(10);
/// Time for its body to end, so that the connection can be used again. The body is empty, or has
/// two bytes.
const BODY: Duration = Duration::from_millis(250);

impl Forward<'_> {
    /// Sends a preflight, in its turn like any request of this client, and remembers the result if
    /// it is definite.
    pub(super) async fn ask_own_cors(&self, call: &Call, preflight: Request<()>) -> Result<Own, Silence> {
        let upstream = self.upstream;
        let key = upstream.origins.key_of_preflight(&preflight);
        if let Some(known) = upstream.origins.recall(key) {
            return Ok(known);
        }
        let mut request = preflight.map(|()| AppRequestBody::Empty);
        self.name_host(request.headers_mut());
        let client = upstream.load.client(self.policy.throttle.client_key(call));
        let entry = upstream.load.enter(client, None, true).await.map_err(Silence::Unasked)?;
        let answered = tokio::time::timeout(PATIENCE, self.exchange(request, PATIENCE, &mut None)).await;
        let permit = entry.over();
        let (response, mut lease) = match answered {
            Ok(Ok(answered)) => answered,
            Ok(Err(refusal)) => return Err(Silence::Unasked(refusal)),
            Err(_) => return Err(Silence::Unasked(Reason::AppTimeout.into())),
        };
        lease.hold(permit);
        if !response.status().is_success() {
            // After a failure the app may close without announcing it, and such responses are rare.
            lease.retire();
        }
        let own = Own::of_preflight(response.status(), response.headers());
        let mut body = AppResponseBody::new(response.into_body(), lease);
        let end = async { while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {} };
        let _ = tokio::time::timeout(BODY, end).await;
        if let Ok(own) = &own {
            upstream.origins.remember(key, own.clone());
        }
        own
    }
}
