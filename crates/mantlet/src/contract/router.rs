//! How much there is in a router.

use mantlet_contract::model::{Route, Router};

/// How many operations there are, below mounts too.
pub(crate) fn operations(router: &Router) -> usize {
    router
        .routes
        .iter()
        .map(|route| match route {
            Route::Http { operation, .. } => usize::from(operation.is_some()),
            Route::Mount { router: Some(router), .. } | Route::Host { router: Some(router), .. } => {
                operations(router)
            }
            Route::Mount { router: None, .. }
            | Route::Host { router: None, .. }
            | Route::WebSocket { .. }
            | Route::Opaque { .. } => 0,
        })
        .sum()
}

/// Whether there is nothing but pages of documentation. An app that only opens WebSockets or mounts
/// others is an app.
pub(crate) fn is_empty(router: &Router) -> bool {
    router.routes.iter().all(|route| match route {
        Route::Http { docs, .. } => *docs,
        Route::Mount { .. } | Route::Host { .. } | Route::WebSocket { .. } | Route::Opaque { .. } => false,
    })
}
