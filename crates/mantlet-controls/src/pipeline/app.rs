//! What stands behind the pipeline.

use std::{future::Future, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use crate::{Call, Refusal, RequestBody, cors, throttle};

/// What stands behind the pipeline.
pub trait App<B> {
    /// The body of its responses.
    type Body: Body<Data = Bytes>;

    /// Answers a request that every stop has let through; the request is as it should be sent.
    fn call(
        self,
        call: &Call,
        request: Request<RequestBody<B>>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Refusal>> + Send;

    /// Where several gates count together, if they do.
    fn store(&self) -> Option<&Arc<dyn throttle::Store>> {
        None
    }

    /// What the app's own CORS was seen to say, lately, to the page that asks, where it asks. The app is not asked.
    fn known_cors(&self, call: &Call) -> Option<cors::Own> {
        let _ = call;
        None
    }

    /// What the app's own CORS says to a preflight, which is as the page's browser would send it before this request. Asked before
    /// such a page's request is refused as forged, and before it is refused in a way that the page has to read.
    fn own_cors(
        &mut self,
        call: &Call,
        preflight: Request<()>,
    ) -> impl Future<Output = Result<cors::Own, cors::Silence>> + Send {
        let _ = (call, preflight);
        std::future::ready(Ok(cors::Own::default()))
    }
}
