use std::io::Write as _;

use mantlet_controls::Config;
use mantlet_gateway::Address;

use super::*;

const DOCUMENT: &str =
    r#"{"openapi": "3.1.0", "info": {"title": "Shop", "version": "1"}, "paths": {"/a": {"get": {}}}}"#;

fn keeper(source: Source, host: &str) -> (ContractHandle, Keeper) {
    let behind = Behind {
        address: Address::Tcp("127.0.0.1".into(), 1),
        host: host.into(),
        is_https: false,
        name: "the app".into(),
    };
    let slot = ContractHandle::default();
    (slot.clone(), Keeper::new(slot, source, behind, policy()))
}

fn policy() -> Arc<Routes> {
    Arc::new(Config::default().check().unwrap().routes)
}

fn document() -> (tempfile::NamedTempFile, Source) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(DOCUMENT.as_bytes()).unwrap();
    let source = Source::Document(file.path().into());
    (file, source)
}

/// Lets the keeper do what it can without waiting.
async fn settle(keeper: &Keeper, starts_at_once: bool, app_returned: impl AsyncFn()) {
    let mut keeping = std::pin::pin!(keeper.keep(starts_at_once, app_returned));
    for _ in 0..8 {
        tokio::select! {
            biased;
            () = &mut keeping => {}
            () = tokio::task::yield_now() => {}
        }
    }
}

#[tokio::test]
async fn a_source_that_is_taken_away_takes_its_contract_with_it() {
    let (_file, source) = document();
    let (slot, keeper) = keeper(source.clone(), "localhost");
    settle(&keeper, true, std::future::pending).await;
    assert!(slot.is_known());
    keeper.reload(Source::None, policy());
    assert!(!slot.is_known() && keeper.report.borrow().is_none());
    settle(&keeper, false, std::future::pending).await;
    assert!(!slot.is_known());
    // The same document again is news.
    keeper.reload(source, policy());
    settle(&keeper, false, std::future::pending).await;
    assert!(slot.is_known());
}

#[tokio::test]
async fn a_file_is_not_read_again_when_the_app_comes_back() {
    let (_file, source) = document();
    let (slot, keeper) = keeper(source, "localhost");
    let was_waited_for = Cell::new(false);
    settle(&keeper, true, async || was_waited_for.set(true)).await;
    assert!(slot.is_known() && !was_waited_for.get());
}

#[tokio::test]
async fn an_app_that_comes_back_is_asked_though_nobody_asked_for_it() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (_, mut keeper) = keeper(Source::Behind, "localhost");
    keeper.behind.address = Address::Tcp("127.0.0.1".into(), listener.local_addr().unwrap().port());
    let is_asked = async {
        tokio::select! {
            () = keeper.keep(false, async || {}) => false,
            asked = listener.accept() => asked.is_ok(),
        }
    };
    assert_eq!(tokio::time::timeout(PATIENCE, is_asked).await, Ok(true));
}

#[tokio::test]
async fn what_cannot_be_asked_was_not_asked() {
    let (_, keeper) = keeper(Source::Behind, "no\nhost");
    let Err(Trouble::Broken(why)) = keeper.behind.read().await else { panic!("something was found") };
    assert!(why.contains("cannot be asked: `no\nhost` is not a host name"), "{why}");
    assert!(!why.contains("asked for `"), "{why}");
}

#[tokio::test]
async fn a_late_answer_from_another_source_is_not_put_in_force() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/openapi.json", listener.local_addr().unwrap());
    let (slot, keeper) = keeper(Source::Url(url), "localhost");
    let answer = async {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut socket, _) = listener.accept().await.unwrap();
        keeper.reload(Source::None, policy());
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", DOCUMENT.len());
        socket.write_all((head + DOCUMENT).as_bytes()).await.unwrap();
        // It has been read when the other side closes.
        let mut rest = Vec::new();
        drop(socket.read_to_end(&mut rest).await);
    };
    tokio::select! {
        () = keeper.keep(true, std::future::pending) => {}
        () = async {
            answer.await;
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
        } => {}
    }
    assert!(!slot.is_known());
}
