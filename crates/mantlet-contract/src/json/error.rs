//! Why a text is not JSON.

/// Why a text was not parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Python's `json.JSONDecodeError`: FastAPI answers 422 with `json_invalid`.
    #[error("{}: char {}", .0.message, .0.position)]
    Decode(Decode),
    /// Not UTF-8. Python guesses UTF-16 and UTF-32 or raises; FastAPI answers 400.
    #[error("the body is not UTF-8")]
    Encoding,
    /// Deeper than allowed.
    #[error("the body is nested deeper than {0} levels")]
    Depth(usize),
    /// Larger than can be judged.
    #[error("the body is larger than 4 GiB")]
    Size,
}

/// What Python says, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decode {
    /// In characters, from the start.
    pub position: usize,
    /// `Expecting value`.
    pub message: &'static str,
}
