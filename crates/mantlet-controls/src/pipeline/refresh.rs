//! The stops of refresh tokens: a handle is taken out of a request, and one is put into an answer.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;

use super::{App, Road, pass::pass};
use crate::{
    Mode, Reason, Refusal, RequestBody, ResponseBody,
    audit::Sink,
    authentication::sessions::{Cause, Keeper, digest},
    refresh_tokens::{self, Bad, Part, Wrapped},
};

/// Puts the app's own token in the place of a handle, if a part of a request has one.
pub(super) async fn unwrap<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
    part: Part,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    // Boxed: rare, and the future of every request would be larger for it.
    if road.policy.refresh_tokens.may_unwrap(&road.call) && !road.call.is_for_accounts {
        Box::pin(unwrap_part(road, request, app, part)).await?;
    }
    Ok(())
}

async fn unwrap_part<B, A, S>(
    road: &mut Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
    part: Part,
) -> Result<(), Refusal>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    let policy = &road.policy.refresh_tokens;
    let Some(keeper) = app.refresh_tokens().cloned() else {
        return Ok(());
    };
    let Some(shown) = policy.shown(&road.call, request, part).await? else { return Ok(()) };
    // The app may hand out another token, and the former one may not be good again; or it is a copy,
    // which is to be ended.
    app.finish_in_any_case();
    if road.due.refreshed.is_none() {
        let sessions = app.sessions().cloned();
        let has_ended = async |id| why_ended(road, id, sessions.as_ref()).await;
        match policy.judge(&road.call, shown, &keeper, has_ended).await {
            Ok(unwrapped) => road.due.refreshed = Some(Box::new(unwrapped)),
            Err(Bad::Refused(refusal)) => {
                return pass(road.audit, &road.call, vec![(policy.mode(), refusal)]);
            }
            Err(Bad::Unavailable(refusal)) => return Err(refusal),
            Err(Bad::Reused(family)) => {
                let refusal = policy.end_reused(&road.call, &family, &keeper).await;
                if policy.mode() == Mode::Enforce {
                    end_session(road, family.session, sessions, Cause::Reused).await;
                }
                return pass(road.audit, &road.call, vec![(policy.mode(), refusal)]);
            }
        }
    }
    if let Some(unwrapped) = &road.due.refreshed {
        refresh_tokens::put(&road.call, request, unwrapped, part);
    }
    Ok(())
}

/// Puts handles in the place of the refresh tokens of an answer, once they are kept.
pub(super) async fn wrap<R: Body, S: Sink>(
    road: &mut Road<'_, S>,
    keeper: Option<Arc<dyn refresh_tokens::Keeper>>,
    answer: Response<ResponseBody<R>>,
) -> Result<Response<ResponseBody<R>>, Refusal> {
    let policy = &road.policy.refresh_tokens;
    let sessions = &road.policy.authentication.sessions;
    let session = |token: &[u8]| {
        let found = sessions.find(&digest(token)).map(|found| found.session);
        (found.as_ref().map(|found| found.facts.id), found.and_then(|found| found.facts.account.clone()))
    };
    let mut unwrapped = road.due.refreshed.take();
    let family = (unwrapped.as_deref_mut(), keeper.as_ref());
    let wrapped = policy.wrap(&road.call, road.audit, family, answer, session).await;
    road.due.refreshed = unwrapped;
    match wrapped {
        Wrapped::Passes(answer) => Ok(answer),
        Wrapped::Refused(refusal) => Err(refusal),
    }
}

/// Why a session has ended, if it has. Other gates may know one that this gate does not.
async fn why_ended<S>(road: &Road<'_, S>, id: u64, keeper: Option<&Arc<dyn Keeper>>) -> Option<&'static str> {
    let sessions = &road.policy.authentication.sessions;
    if let Some(others) = keeper.filter(|keeper| keeper.is_shared() && sessions.session(id).is_none()) {
        for event in others.find_session(id).await.unwrap_or_default() {
            sessions.apply(&event);
        }
    }
    sessions.session(id)?.ended().map(|(_, cause)| cause.text())
}

/// Ends a session, unless it has ended.
async fn end_session<S: Sink>(
    road: &Road<'_, S>,
    session: Option<u64>,
    keeper: Option<Arc<dyn Keeper>>,
    cause: Cause,
) {
    let authentication = &road.policy.authentication;
    let is_open = |id: &u64| authentication.sessions.session(*id).is_some_and(|one| one.ended().is_none());
    if let Some(id) = session.filter(is_open) {
        road.keep(keeper, authentication.ended(id, road.call.clock.time().as_second(), cause)).await;
    }
}
