//! What the gate is told to do: a control that is off closes nothing.

use mantlet_controls::{Mode, https::Required};

use crate::{
    facts::App,
    finding::Finding,
    review::{Review, Row},
    rule::{Practice, api},
};

const GATE: &str = "the gate";

pub(crate) fn review(app: &App<'_>, review: &mut Review) {
    let Some(gate) = app.facts.gate else {
        for practice in [Practice::Https, Practice::Headers, Practice::Logging] {
            review.unjudged(
                Row::Practice(practice),
                "the app is reviewed without a gate, and no request was sent",
            );
        }
        return;
    };
    let config = gate.config;
    for practice in [Practice::Https, Practice::Headers, Practice::Cors, Practice::Limits, Practice::Logging]
    {
        review.looked(Row::Practice(practice), "sections of the configuration", 1);
    }
    if config.report_only {
        let finding =
            Finding::new(&api::ONLY_REPORTED, GATE, "`report-only` turns every refusal into a record");
        review.found(finding.closed_by("report-only = false"));
    }
    if config.headers.mode != Mode::Enforce {
        let message = format!("`headers.mode` is \"{}\"", config.headers.mode.as_str());
        review
            .found(Finding::new(&api::HEADERS_OFF, GATE, message).closed_by("[headers]\nmode = \"enforce\""));
    }
    let controls = [
        ("path", config.path.mode),
        ("contract", config.contract.mode),
        ("throttle", config.throttle.mode),
        ("csrf", config.csrf.mode),
        ("authentication", config.authentication.mode),
        ("responses", config.responses.mode),
    ];
    for (name, mode) in controls.into_iter().filter(|(_, mode)| *mode != Mode::Enforce) {
        let message = format!("`{name}.mode` is \"{}\"", mode.as_str());
        let finding = Finding::new(&api::CONTROL_OFF, GATE, message).part(name);
        review.found(finding.closed_by(format!("[{name}]\nmode = \"enforce\"")));
    }
    let is_required = match config.https.required {
        Required::Always => true,
        Required::Auto => gate.has_certificate,
        Required::Never => false,
    };
    if !is_required {
        let message =
            "plain HTTP passes: the gate has no certificate, and `https.required` is not \"always\"";
        let finding = Finding::new(&api::HTTPS_NOT_REQUIRED, GATE, message);
        let text =
            "# write this once a certificate or a trusted proxy ends TLS\n[https]\nrequired = \"always\"";
        review.found(finding.closed_with_own_values(text));
    }
    if config.host.allow.is_empty() {
        let finding = Finding::new(
            &api::HOSTS_NOT_CHECKED,
            GATE,
            "`host.allow` is empty: other hosts are reported alone",
        );
        let text = "# write the names by which clients know the app\n[host]\nallow = [\"api.example.com\"]";
        review.found(finding.closed_with_own_values(text));
    }
    if !gate.keeps_records {
        let finding = Finding::new(&api::NO_AUDIT, GATE, "`audit.file` is \"off\"");
        review.found(finding.closed_by("[audit]\nfile = \"\""));
    }
}
