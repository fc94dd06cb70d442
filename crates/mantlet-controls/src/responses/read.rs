//! Reads the body of a response, up to a limit.

use std::{future::poll_fn, mem, pin::Pin};

use bytes::{Bytes, BytesMut};
use http_body::Body;

use crate::{ResponseBody, message::budget::Part};

/// The read part of a body.
pub(super) enum Seen<B> {
    /// All of it.
    Whole(Bytes),
    /// A part, up to the limit.
    Begun(Bytes, Pin<Box<B>>),
    /// Nothing.
    Unread(B),
}

/// Why a response could not be read.
pub(super) enum Trouble {
    /// The app broke off the response.
    App,
    /// Too much is already held for clients that do not read.
    NoRoom,
}

impl<B: Body<Data = Bytes>> Seen<B> {
    /// Reads a body of which nothing has been read.
    pub(super) async fn read(&mut self, extent: Extent, part: &mut Part) -> Result<(), Trouble> {
        let nothing = Self::Whole(Bytes::new());
        if let Self::Unread(body) = mem::replace(self, nothing) {
            *self = read(Box::pin(body), extent, part).await?;
        }
        Ok(())
    }
}

impl<B> Seen<B> {
    pub(super) fn beginning(&self) -> &[u8] {
        match self {
            Self::Whole(bytes) | Self::Begun(bytes, _) => bytes,
            Self::Unread(_) => &[],
        }
    }

    /// The response as the app sends it, with its share of the budget.
    pub(super) fn into_answer(self, part: Part) -> ResponseBody<B> {
        match self {
            Self::Whole(bytes) => ResponseBody::read(part.with(bytes)),
            Self::Begun(bytes, rest) => ResponseBody::Ahead { bytes: Some(part.with(bytes)), rest },
            Self::Unread(body) => ResponseBody::App { body },
        }
    }
}

/// How far a body is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Extent {
    /// Its first piece.
    First,
    /// So many bytes.
    UpTo(usize),
}

/// Reads a body, if there is room for what is read.
async fn read<B: Body<Data = Bytes>>(
    mut body: Pin<Box<B>>,
    extent: Extent,
    part: &mut Part,
) -> Result<Seen<B>, Trouble> {
    let Some(first) = next(&mut body).await? else { return Ok(Seen::Whole(Bytes::new())) };
    if !part.grow_to(first.len()) {
        return Err(Trouble::NoRoom);
    }
    let most = match extent {
        Extent::First if body.is_end_stream() => return Ok(Seen::Whole(first)),
        Extent::First => return Ok(Seen::Begun(first, body)),
        Extent::UpTo(most) => most,
    };
    if body.is_end_stream() && first.len() <= most {
        // Nearly always it comes in one piece.
        return Ok(Seen::Whole(first));
    }
    let mut all = BytesMut::from(first);
    while all.len() <= most {
        if !part.grow_to(all.len()) {
            return Err(Trouble::NoRoom);
        }
        match next(&mut body).await? {
            Some(piece) => all.extend_from_slice(&piece),
            None => return Ok(Seen::Whole(all.freeze())),
        }
    }
    Ok(Seen::Begun(all.freeze(), body))
}

/// The next piece; trailers have no meaning for a body that was read.
async fn next<B: Body<Data = Bytes>>(body: &mut Pin<Box<B>>) -> Result<Option<Bytes>, Trouble> {
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.map_err(|_| Trouble::App)?.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Ok(Some(data)),
            Err(_) => {}
        }
    }
    Ok(None)
}
