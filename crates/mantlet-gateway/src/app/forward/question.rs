//! Asks the app a question of our own.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use mantlet_controls::{Call, refusal::LONGEST_WORDS};

use super::Forward;
use crate::app::{fetch, request_body::AppRequestBody};

/// Time for the whole answer: a request of a client waits for it.
const PATIENCE: Duration = Duration::from_millis(500);

impl Forward<'_> {
    /// Sends a question, in its turn like any request of this client, and reads the answer. None if there
    /// is none in time, or a long one.
    pub(super) async fn ask_app(&self, call: &Call, question: Request<()>) -> Option<Response<Bytes>> {
        let asked = async {
            let upstream = self.upstream;
            let mut request = question.map(|()| AppRequestBody::Empty);
            self.name_host(request.headers_mut());
            let client = upstream.load.client(self.policy.throttle.client_key(call));
            let entry = upstream.load.enter(client, None, true).await.ok()?;
            let answered = self.exchange(request, PATIENCE, &mut None).await;
            let permit = entry.over();
            let (response, mut lease) = answered.ok()?;
            lease.hold(permit);
            // It may leave something unread.
            lease.retire();
            let (parts, body) = response.into_parts();
            let body = fetch::read(body, LONGEST_WORDS).await.ok()?;
            drop(lease);
            Some(Response::from_parts(parts, body))
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
    }
}
