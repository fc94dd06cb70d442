//! Serves the protected API on port 3000; audit records go to standard error.

use std::net::SocketAddr;

use mantlet_example_axum::protected;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = protected(|record| {
        if let Ok(line) = serde_json::to_string(&record) {
            eprintln!("{line}");
        }
    })?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 3000)).await?;
    println!("http://localhost:3000/notes");
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
