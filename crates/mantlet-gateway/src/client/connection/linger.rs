//! The end of a connection whose client may still be sending.

use std::{io, time::Duration};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How long to keep reading a closed connection after the client's last byte, so that a client that
/// is still sending can read the response (RFC 9112 section 9.6).
const LINGER: Duration = Duration::from_secs(2);
/// The longest time to keep reading.
const LONGEST_LINGER: Duration = Duration::from_secs(30);

/// Shuts down writing, and reads what the client is still sending. Otherwise the kernel would reset
/// the connection, and the client could lose our last response.
pub(super) async fn linger<T: AsyncRead + AsyncWrite + Unpin>(io: &mut T) {
    let lingering = async {
        io.shutdown().await?;
        let mut discarded = [0; 1024];
        while tokio::time::timeout(LINGER, io.read(&mut discarded)).await?? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(LONGEST_LINGER, lingering).await;
}
