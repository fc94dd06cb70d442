//! Asks the app a question of our own.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::Body as _;
use mantlet_controls::{Call, refusal::LONGEST_WORDS};

use super::{Forward, strip_hop_by_hop};
use crate::{app::request_body::AppRequestBody, fetch};

/// Time for the whole answer: a request of a client waits for it.
const PATIENCE: Duration = Duration::from_millis(500);

impl Forward<'_> {
    /// Sends a question, in its turn like any request of this client, and reads the answer. None if there
    /// is none in time, or a long one.
    pub(super) async fn ask_app(&self, call: &Call, question: Request<()>) -> Option<Response<Bytes>> {
        self.read_app(call, question, LONGEST_WORDS, PATIENCE).await
    }

    /// The same with an answer of at most so many bytes, and as much time.
    pub(super) async fn read_app(
        &self,
        call: &Call,
        question: Request<()>,
        most: usize,
        patience: Duration,
    ) -> Option<Response<Bytes>> {
        let asked = async {
            let upstream = self.upstream;
            let mut request = question.map(|()| AppRequestBody::Empty);
            self.name_host(request.headers_mut());
            let client = upstream.load.client(self.policy.throttle.client_key(call));
            let entry = upstream.load.enter(client, None, true).await.ok()?;
            let answered = self.exchange(request, patience, &mut None).await;
            let permit = entry.over();
            let (response, mut lease) = answered.ok()?;
            lease.hold(permit);
            let (mut parts, body) = response.into_parts();
            // uvicorn closes after an exception in the app without announcing it.
            let is_sound =
                body.size_hint().exact().is_some() && parts.status != StatusCode::INTERNAL_SERVER_ERROR;
            let body = fetch::read(body, most).await.ok()?;
            if is_sound {
                lease.give_back();
            }
            strip_hop_by_hop(&mut parts.headers);
            Some(Response::from_parts(parts, body))
        };
        tokio::time::timeout(patience, asked).await.ok().flatten()
    }
}
