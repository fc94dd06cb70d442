//! Percent-encoding of paths (RFC 3986 section 2.1).

/// The bytes that a path means.
pub(crate) fn decoded(path: &str) -> Vec<u8> {
    read(path).map(|(byte, _)| byte).collect()
}

/// The bytes of a path, and whether each was encoded. What is not an encoding stays as it is.
pub(crate) fn read(path: &str) -> impl Iterator<Item = (u8, bool)> {
    let mut rest = path.as_bytes();
    std::iter::from_fn(move || {
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        if let [b'%', high, low, after @ ..] = rest
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            rest = after;
            return Some((high << 4 | low, true));
        }
        let (first, after) = rest.split_first()?;
        rest = after;
        Some((*first, false))
    })
}
