//! `[traces]`: where spans of requests go.

use std::fmt;

use mantlet_controls::{call::trace::Sampler, config::Mistake};
use mantlet_gateway::{fetch::Target, traces::TracesConfig};
use serde::{Deserialize, Deserializer, Serialize, de};

/// `[traces]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The collector, OTLP over HTTP, such as `http://127.0.0.1:4318`; `env`: the variables of OpenTelemetry
    /// say where it is; `off` for none. Default `off`.
    pub(crate) endpoint: String,
    /// The part of the traces that is recorded, from 0 to 1. What a trusted peer has begun is recorded if it was
    /// there. Default: all, or with `env` what `OTEL_TRACES_SAMPLER` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sample: Option<Ratio>,
    /// The name of the gate among services. Default `mantlet`, or with `env` and an app that others run what
    /// `OTEL_SERVICE_NAME` says.
    pub(crate) service_name: String,
    /// Spans have the client's address. Default no.
    pub(crate) client_address: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self { endpoint: "off".into(), sample: None, service_name: String::new(), client_address: false }
    }
}

/// A number from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Ratio(f64);

/// It is a number.
impl Eq for Ratio {}

impl Ratio {
    fn of(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Ratio;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1, such as `0.01`")
            }

            fn visit_f64<E: de::Error>(self, v: f64) -> Result<Ratio, E> {
                Ratio::of(v).ok_or_else(|| E::invalid_value(de::Unexpected::Float(v), &self))
            }

            fn visit_i64<E: de::Error>(self, v: i64) -> Result<Ratio, E> {
                i8::try_from(v)
                    .ok()
                    .and_then(|v| Ratio::of(v.into()))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Signed(v), &self))
            }

            fn visit_u64<E: de::Error>(self, v: u64) -> Result<Ratio, E> {
                u8::try_from(v)
                    .ok()
                    .and_then(|v| Ratio::of(v.into()))
                    .ok_or_else(|| E::invalid_value(de::Unexpected::Unsigned(v), &self))
            }

            fn visit_str<E: de::Error>(self, v: &str) -> Result<Ratio, E> {
                let number = v.parse().ok().and_then(Ratio::of);
                number.ok_or_else(|| E::invalid_value(de::Unexpected::Str(v), &self))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl Config {
    /// Where spans go, if that is wanted.
    pub(crate) fn read(&self, runs_app: bool) -> Result<Option<TracesConfig>, Mistake> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.read_with(runs_app, set)
    }

    /// The same with variables as `set` has them.
    fn read_with(
        &self,
        runs_app: bool,
        set: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<TracesConfig>, Mistake> {
        let takes_variables = self.endpoint == "env";
        let endpoint = match self.endpoint.as_str() {
            "off" | "" => return Ok(None),
            "env" => match of_variables(&set)? {
                Some(endpoint) => endpoint,
                None => return Ok(None),
            },
            base => with_path(base),
        };
        Target::of_url(&endpoint).map_err(|_| {
            let message = format!("`{}` is not the address of a collector", without_secrets(&endpoint));
            Mistake::new("traces.endpoint", message)
                .help("write `http://HOST:4318` or `https://HOST`, `env`, or `off`")
        })?;
        let sampler = match self.sample {
            Some(Ratio(ratio)) => Sampler::new(ratio, true),
            None if takes_variables => sampler_of(&set)?,
            None => Sampler::new(1.0, true),
        };
        // An app that we run has our variables: the name in them is its own.
        let named = || (takes_variables && !runs_app).then(|| set("OTEL_SERVICE_NAME")).flatten();
        let service_name = Some(self.service_name.clone()).filter(|name| !name.is_empty());
        Ok(Some(TracesConfig {
            endpoint,
            sampler,
            service_name: service_name.or_else(named).unwrap_or_else(|| "mantlet".into()),
            takes_variables,
            client_address: self.client_address,
        }))
    }
}

/// The address for spans, of the address of a collector.
fn with_path(base: &str) -> String {
    if base.ends_with("/v1/traces") {
        base.to_owned()
    } else {
        format!("{}/v1/traces", base.trim_end_matches('/'))
    }
}

/// The address for spans, as OpenTelemetry's variables have it; none if they say that there are no spans.
fn of_variables(set: &impl Fn(&str) -> Option<String>) -> Result<Option<String>, Mistake> {
    let wrong =
        |message: String, help: &'static str| Err(Mistake::new("traces.endpoint", message).help(help));
    let is = |name: &str, value: &str| set(name).is_some_and(|own| own.eq_ignore_ascii_case(value));
    if is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none") {
        return Ok(None);
    }
    let both = |name: &str| set(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"));
    let protocol = both("PROTOCOL").or_else(|| set("OTEL_EXPORTER_OTLP_PROTOCOL"));
    if let Some(protocol) = protocol.filter(|protocol| protocol != "http/protobuf") {
        return wrong(
            format!(
                "the collector in the environment is asked by `{protocol}`, and Mantlet sends `http/protobuf`"
            ),
            "write the collector's address for HTTP, such as `http://127.0.0.1:4318`",
        );
    }
    let compression = both("COMPRESSION").or_else(|| set("OTEL_EXPORTER_OTLP_COMPRESSION"));
    if let Some(compression) = compression.filter(|compression| compression != "none") {
        return wrong(
            format!("the environment asks for `{compression}`, and Mantlet sends spans without compression"),
            "write the collector's address, such as `http://127.0.0.1:4318`",
        );
    }
    match (both("ENDPOINT"), set("OTEL_EXPORTER_OTLP_ENDPOINT")) {
        (Some(endpoint), _) => Ok(Some(endpoint)),
        (None, Some(base)) => Ok(Some(format!("{}/v1/traces", base.trim_end_matches('/')))),
        (None, None) => wrong(
            "neither `OTEL_EXPORTER_OTLP_ENDPOINT` nor `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` is set".into(),
            "set one, or write the collector's address, such as `http://127.0.0.1:4318`",
        ),
    }
}

fn sampler_of(set: &impl Fn(&str) -> Option<String>) -> Result<Sampler, Mistake> {
    let Some(name) = set("OTEL_TRACES_SAMPLER") else { return Ok(Sampler::new(1.0, true)) };
    let wrong = |message: String| Mistake::new("traces.sample", message).help("set `sample`, such as `0.01`");
    let ratio = || match set("OTEL_TRACES_SAMPLER_ARG") {
        None => Ok(1.0),
        Some(text) => match text.parse().ok().and_then(Ratio::of) {
            Some(Ratio(ratio)) => Ok(ratio),
            None => Err(wrong(format!(
                "`OTEL_TRACES_SAMPLER_ARG` is `{text}`, which is not a number from 0 to 1"
            ))),
        },
    };
    Ok(match name.as_str() {
        "always_on" => Sampler::new(1.0, false),
        "always_off" => Sampler::new(0.0, false),
        "traceidratio" => Sampler::new(ratio()?, false),
        "parentbased_always_on" => Sampler::new(1.0, true),
        "parentbased_always_off" => Sampler::new(0.0, true),
        "parentbased_traceidratio" => Sampler::new(ratio()?, true),
        other => {
            return Err(wrong(format!("`OTEL_TRACES_SAMPLER` is `{other}`, which Mantlet does not know")));
        }
    })
}

/// An address without what may be secret in it: a password, a query.
fn without_secrets(url: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    match bare.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.rsplit_once('@')?.1))) {
        Some((scheme, host)) => format!("{scheme}://…@{host}"),
        None => bare.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(config: &Config, runs_app: bool, set: &[(&str, &str)]) -> Result<Option<TracesConfig>, Mistake> {
        let found =
            |name: &str| set.iter().find(|(own, _)| *own == name).map(|(_, value)| (*value).to_owned());
        config.read_with(runs_app, found)
    }

    fn at(endpoint: &str) -> Config {
        Config { endpoint: endpoint.into(), ..Config::default() }
    }

    #[test]
    fn without_an_endpoint_variables_change_nothing() {
        let set = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318"), ("OTEL_TRACES_SAMPLER", "always_on")];
        assert!(read(&Config::default(), true, &set).unwrap().is_none());
        let own = read(&at("http://b:4318/"), false, &[set[0], ("OTEL_SERVICE_NAME", "x")]).unwrap().unwrap();
        assert_eq!(
            (own.endpoint.as_str(), own.service_name.as_str()),
            ("http://b:4318/v1/traces", "mantlet")
        );
        assert!(!own.takes_variables && own.sampler == Sampler::new(1.0, true));
    }

    #[test]
    fn variables_are_read_where_that_is_asked_for() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://c.example/otlp/");
        let name = ("OTEL_SERVICE_NAME", "shop");
        let sampler = ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio");
        let set = [base, name, sampler, ("OTEL_TRACES_SAMPLER_ARG", "0.25")];
        let found = read(&at("env"), false, &set).unwrap().unwrap();
        assert_eq!(found.endpoint, "https://c.example/otlp/v1/traces");
        assert_eq!((found.service_name.as_str(), found.sampler), ("shop", Sampler::new(0.25, true)));
        assert!(found.takes_variables);
        // With an app of ours, the name is the app's.
        assert_eq!(read(&at("env"), true, &set).unwrap().unwrap().service_name, "mantlet");
        let own = Config { sample: Ratio::of(0.5), service_name: "edge".into(), ..at("env") };
        let found = read(&own, false, &set).unwrap().unwrap();
        assert_eq!((found.service_name.as_str(), found.sampler), ("edge", Sampler::new(0.5, true)));
        // One for spans is taken as it is.
        let of_spans = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://d:1/x");
        assert_eq!(read(&at("env"), false, &[base, of_spans]).unwrap().unwrap().endpoint, "http://d:1/x");
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(read(&at("env"), false, &[base, off]).unwrap().is_none());
        }
    }

    #[test]
    fn an_address_is_shown_without_what_may_be_secret() {
        let told = |endpoint: &str| read(&at(endpoint), false, &[]).unwrap_err().message;
        assert_eq!(
            told("http://ann:S3CRET@c.example:4318/x?key=S3CRET"),
            "`http://…@c.example:4318/x` is not the address of a collector"
        );
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318");
        for (endpoint, set, key, said) in [
            ("4318", vec![], "traces.endpoint", "not the address"),
            ("grpc://a:4317", vec![], "traces.endpoint", "not the address"),
            ("env", vec![], "traces.endpoint", "neither"),
            ("env", vec![base, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")], "traces.endpoint", "`grpc`"),
            ("env", vec![base, ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")], "traces.endpoint", "`gzip`"),
            ("env", vec![base, ("OTEL_TRACES_SAMPLER", "xray")], "traces.sample", "`xray`"),
            (
                "env",
                vec![base, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")],
                "traces.sample",
                "`2`",
            ),
        ] {
            let mistake = read(&at(endpoint), true, &set).unwrap_err();
            assert_eq!(mistake.key, key, "{endpoint}");
            assert!(mistake.message.contains(said), "{}", mistake.message);
        }
    }
}
