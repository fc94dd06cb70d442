//! Booleans, UUIDs, bytes and texts that hold JSON.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine as _, GeneralPurpose, GeneralPurposeConfig};
use uuid::{Uuid, Variant};

use super::{Run, s};
use crate::fault::Problem;
use crate::json::{Limits, ParseError, parse};
use crate::model::BytesFrom;
use crate::number::Int;
use crate::shape::Length;
use crate::value::View;

impl<'a> Run<'a> {
    pub(super) fn bool(&mut self, strict: bool, view: View<'a>) -> bool {
        match view {
            View::Bool(_) => return true,
            View::Str(text) if !strict => return self.bool_text(text),
            View::Bytes(bytes) if !strict => return self.bool_text(&String::from_utf8_lossy(bytes)),
            View::Int(digits) if !strict => {
                if let Some(Int::Small(int)) = Int::parse(digits) {
                    return matches!(int, 0 | 1) || self.bool_parsing();
                }
            }
            View::Float(float) if !strict => {
                if float == 0.0 || (float - 1.0).abs() < f64::EPSILON / 2.0 {
                    return true;
                }
                if float.is_finite() && float.fract() == 0.0 && float.abs() < 9.2e18 {
                    return self.bool_parsing();
                }
            }
            _ => {}
        }
        self.refuse(|| Problem::new("bool_type", "Input should be a valid boolean"))
    }

    fn bool_text(&mut self, text: &str) -> bool {
        const WORDS: [&str; 12] = ["0", "f", "n", "no", "off", "false", "1", "t", "y", "on", "yes", "true"];
        WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) || self.bool_parsing()
    }

    fn bool_parsing(&mut self) -> bool {
        self.refuse(|| {
            Problem::new("bool_parsing", "Input should be a valid boolean, unable to interpret input")
        })
    }

    pub(super) fn bytes(&mut self, strict: bool, length: Length, from: BytesFrom, view: View<'a>) -> bool {
        let len = match view {
            View::Bytes(bytes) => Ok(bytes.len()),
            View::Str(text) if !strict => match from {
                BytesFrom::Utf8 => Ok(text.len()),
                BytesFrom::Base64 => base64(text).map_err(|error| ("base64", error)),
                BytesFrom::Hex => hex(text).map_err(|error| ("hex", error)),
            },
            _ => return self.refuse(|| Problem::new("bytes_type", "Input should be a valid bytes")),
        };
        let len = match len {
            Ok(len) => len as u64,
            Err((encoding, error)) => {
                return self.refuse(|| {
                    Problem::new(
                        "bytes_invalid_encoding",
                        format!("Data should be valid {encoding}: {error}"),
                    )
                    .with("encoding", encoding)
                    .with("encoding_error", error)
                });
            }
        };
        match length {
            Length { min: Some(min), .. } if len < min => self.refuse(|| {
                Problem::new("bytes_too_short", format!("Data should have at least {min} byte{}", s(min)))
                    .with("min_length", min)
            }),
            Length { max: Some(max), .. } if len > max => self.refuse(|| {
                Problem::new("bytes_too_long", format!("Data should have at most {max} byte{}", s(max)))
                    .with("max_length", max)
            }),
            _ => true,
        }
    }

    pub(super) fn uuid(&mut self, strict: bool, version: Option<u8>, view: View<'a>) -> bool {
        if strict {
            return self.refuse(|| instance_of("UUID"));
        }
        let text = match view {
            View::Str(text) => text,
            View::Bytes(_) => return self.unsure(),
            _ => {
                return self.refuse(|| {
                    Problem::new("uuid_type", "UUID input should be a string, bytes or UUID object")
                });
            }
        };
        match Uuid::parse_str(text) {
            Err(error) => self.refuse(|| {
                let error = error.to_string();
                Problem::new("uuid_parsing", format!("Input should be a valid UUID, {error}"))
                    .with("error", error)
            }),
            Ok(uuid) => match version {
                Some(version)
                    if uuid.get_version_num() != usize::from(version)
                        || uuid.get_variant() != Variant::RFC4122 =>
                {
                    self.refuse(|| {
                        Problem::new("uuid_version", format!("UUID version {version} expected"))
                            .with("expected_version", version)
                    })
                }
                _ => true,
            },
        }
    }

    /// What is inside is the app's: in JSON mode Pydantic has rules of its own.
    pub(super) fn json_text(&mut self, inner: Option<u32>, view: View<'a>) -> bool {
        let bytes = match view {
            View::Str(text) => text.as_bytes(),
            View::Bytes(bytes) => bytes,
            _ => {
                return self
                    .refuse(|| Problem::new("json_type", "JSON input should be string, bytes or bytearray"));
            }
        };
        match parse(bytes, Limits::default()) {
            Ok(_) if inner.is_none() => true,
            Err(ParseError::Decode(error)) if !bytes.starts_with(b"\xEF\xBB\xBF") => self.refuse(|| {
                Problem::new("json_invalid", format!("Invalid JSON: {}", error.message))
                    .with("error", error.message)
            }),
            _ => self.unsure(),
        }
    }
}

pub(super) fn instance_of(class: &str) -> Problem {
    Problem::new("is_instance_of", format!("Input should be an instance of {class}")).with("class", class)
}

fn base64(text: &str) -> Result<usize, String> {
    const ANY_PADDING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let url_safe = GeneralPurpose::new(&alphabet::URL_SAFE, ANY_PADDING);
    let decoded = match url_safe.decode(text) {
        Err(base64::DecodeError::InvalidByte(_, b'/' | b'+')) => {
            GeneralPurpose::new(&alphabet::STANDARD, ANY_PADDING).decode(text)
        }
        other => other,
    };
    decoded.map(|bytes| bytes.len()).map_err(|error| error.to_string())
}

fn hex(text: &str) -> Result<usize, String> {
    if !text.len().is_multiple_of(2) {
        return Err("Odd number of digits".to_owned());
    }
    match text.bytes().enumerate().find(|(_, byte)| !byte.is_ascii_hexdigit()) {
        Some((at, byte)) => Err(format!("Invalid character {:?} at position {at}", char::from(byte))),
        None => Ok(text.len() / 2),
    }
}
