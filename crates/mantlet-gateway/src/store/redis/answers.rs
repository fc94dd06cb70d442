//! Answers to puzzles that any of several gates has taken.
//!
//! | key | holds | until |
//! |---|---|---|
//! | `PREFIX:challenge:ANSWER` | nothing; `ANSWER` is a part of a hash | the answer has expired at all gates |

use std::{fmt::Write as _, time::Duration};

use futures_util::future::BoxFuture;
use mantlet_controls::proof_of_work::{AnswerId, SpentByAll};

use super::{RedisStore, millis};

impl SpentByAll for RedisStore {
    fn is_new(&self, answer: AnswerId, lifetime: Duration) -> BoxFuture<'_, Option<bool>> {
        let mut name = format!("{}:challenge:", self.0.config.prefix);
        for byte in answer {
            // Writing to a text cannot fail.
            let _ = write!(name, "{byte:02x}");
        }
        Box::pin(self.ask(async move |mut link| {
            let mut set = redis::cmd("SET");
            set.arg(name).arg("").arg("NX").arg("PX").arg(millis(lifetime));
            let done: Option<String> = set.query_async(&mut link).await?;
            Ok(done.is_some())
        }))
    }
}
