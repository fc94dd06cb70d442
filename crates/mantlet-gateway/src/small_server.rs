//! A server for an operator or a program of theirs: few connections at once, each with one request and little
//! time.

use std::{convert::Infallible, io, time::Duration};

use http::{Request, Response};
use hyper::{
    body::{Body, Incoming},
    server,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinSet,
    time::{sleep, timeout},
};

/// Connections at once.
const MOST: usize = 16;
/// Time for the head of a request: a connection that says nothing holds its place no longer.
const PATIENCE_FOR_HEAD: Duration = Duration::from_secs(3);
/// Largest head of a request.
const MAX_HEAD: usize = 16 << 10;

/// Takes connections for as long as it is polled. A client that is too slow is cut off.
pub async fn serve<S, C>(
    mut accept: impl AsyncFnMut() -> io::Result<S>,
    patience: Duration,
    converse: impl Fn(S) -> C,
) where
    C: Future<Output = ()> + Send + 'static,
{
    let mut under_way = JoinSet::new();
    loop {
        while under_way.try_join_next().is_some() {}
        if under_way.len() >= MOST {
            under_way.join_next().await;
            continue;
        }
        match accept().await {
            Ok(stream) => {
                let conversation = converse(stream);
                under_way.spawn(async move { drop(timeout(patience, conversation).await) });
            }
            // Most likely no file descriptors are left.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Answers the one request of a connection.
pub async fn converse<S, F, B>(stream: S, answer: impl Fn(Request<Incoming>) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = Response<B>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let service = service_fn(|request| {
        let answer = answer(request);
        async { Ok::<_, Infallible>(answer.await) }
    });
    let connection = server::conn::http1::Builder::new()
        .keep_alive(false)
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE_FOR_HEAD)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // The client has its response, or has left.
    let _ = connection.await;
}
