//! The end of a connection whose client may still be sending.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long a closed connection is read on after the client was last heard, so that a client that
/// is still sending gets to read the answer (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// How long it is read on in all.
const LONGEST_LINGER: Duration = Duration::from_secs(30);

/// Says that nothing more will come, and reads what the client is still sending, so that the kernel
/// does not answer it with a reset that would destroy our last answer on its way.
pub(super) async fn linger<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) {
    let lingering = async {
        io.shutdown().await?;
        let mut discarded = [0; 1024];
        while tokio::time::timeout(LINGER, io.read(&mut discarded)).await?? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LONGEST_LINGER, lingering).await;
}
