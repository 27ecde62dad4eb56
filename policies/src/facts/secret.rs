//! Credentials among argument values, by their shape.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

/// What kind of credential a text holds, if it holds one.
pub(super) fn find(text: &str) -> Option<&'static str> {
    if text.len() < 12 {
        return None;
    }
    plain(text).or_else(|| wrapped(text))
}

fn plain(text: &str) -> Option<&'static str> {
    let Some(starts) = STARTS.as_ref() else { return Some("credential") };
    starts.find_iter(text).find_map(|hit| {
        let shape = SHAPES.get(hit.pattern().as_usize())?;
        let before = text.get(..hit.start()).and_then(|before| before.chars().next_back());
        let tail = text.get(hit.end()..)?;
        let alone = shape.anywhere || before.is_none_or(|letter| !letter.is_ascii_alphanumeric() && letter != '_');
        let body = tail
            .chars()
            .take_while(|letter| letter.is_ascii_alphanumeric() || shape.also.contains(*letter))
            .take(shape.least)
            .count();
        let varied = shape.least < 12 || varied(tail.get(..tail.floor_char_boundary(body)).unwrap_or_default());
        (alone && body >= shape.least && varied).then_some(shape.kind)
    })
}

/// Placeholders such as `sk-xxxxxxxxxxxxxxxxxxxx` are no credentials.
fn varied(body: &str) -> bool {
    let mut seen = [false; 128];
    body.bytes().for_each(|byte| {
        if let Some(seen) = seen.get_mut(usize::from(byte)) {
            *seen = true;
        }
    });
    seen.iter().filter(|seen| **seen).count() >= 6
}

/// One layer of base64 around: runs that a person would not read.
fn wrapped(text: &str) -> Option<&'static str> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || "+/=_-".contains(letter)))
        .filter(|run| run.len() >= 40)
        .find_map(|run| plain(&decode(run)?))
}

/// Whether a run is base64 of text that a person could read.
pub(super) fn base64_text(run: &str) -> bool {
    let alphabet = run.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte));
    let mixed = run.bytes().any(|byte| byte.is_ascii_uppercase()) && run.bytes().any(|byte| byte.is_ascii_lowercase());
    alphabet
        && mixed
        && decode(run).is_some_and(|text| {
            text.len() >= 16
                && text.chars().all(|letter| (' '..='~').contains(&letter) || letter == '\n' || letter == '\t')
        })
}

/// Base64 in either alphabet, if it decodes to UTF-8.
fn decode(run: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in run.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        (bits, held) = ((bits << 6) | u32::from(six), held + 6);
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from((bits >> held) & 0xff).ok()?);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A kind of credential: how it starts, and how much must follow.
struct Shape {
    start: &'static str,
    kind: &'static str,
    least: usize,
    also: &'static str,
    /// Whether it counts in the middle of a word.
    anywhere: bool,
}

const fn shape(start: &'static str, kind: &'static str, least: usize, also: &'static str) -> Shape {
    Shape { start, kind, least, also, anywhere: false }
}

/// By each issuer's documentation of its tokens.
const SHAPES: &[Shape] = &[
    Shape { start: "PRIVATE KEY-----", kind: "private key", least: 0, also: "", anywhere: true },
    Shape { start: "PRIVATE KEY BLOCK-----", kind: "private key", least: 0, also: "", anywhere: true },
    Shape { start: "PuTTY-User-Key-File-", kind: "private key", least: 0, also: "", anywhere: true },
    shape("AGE-SECRET-KEY-1", "private key", 40, ""),
    shape("AKIA", "AWS access key", 16, ""),
    shape("ASIA", "AWS access key", 16, ""),
    shape("ghp_", "GitHub token", 30, ""),
    shape("gho_", "GitHub token", 30, ""),
    shape("ghu_", "GitHub token", 30, ""),
    shape("ghs_", "GitHub token", 30, ""),
    shape("ghr_", "GitHub token", 30, ""),
    shape("github_pat_", "GitHub token", 30, "_"),
    shape("glpat-", "GitLab token", 20, "-_"),
    shape("xoxb-", "Slack token", 20, "-"),
    shape("xoxp-", "Slack token", 20, "-"),
    shape("xoxa-", "Slack token", 20, "-"),
    shape("xoxr-", "Slack token", 20, "-"),
    shape("xapp-", "Slack token", 20, "-"),
    shape("hooks.slack.com/services/T", "Slack webhook", 20, "/"),
    shape("sk-ant-", "Anthropic key", 20, "-_"),
    shape("sk-proj-", "OpenAI key", 20, "-_"),
    shape("sk-", "API key", 20, "-_"),
    shape("sk_live_", "Stripe key", 16, ""),
    shape("sk_test_", "Stripe key", 16, ""),
    shape("rk_live_", "Stripe key", 16, ""),
    shape("whsec_", "webhook secret", 20, "+/="),
    shape("AIza", "Google API key", 35, "-_"),
    shape("ya29.", "Google token", 20, "-_."),
    shape("GOCSPX-", "Google client secret", 20, "-_"),
    shape("npm_", "npm token", 30, ""),
    shape("pypi-AgEI", "PyPI token", 30, "-_"),
    shape("hf_", "Hugging Face token", 30, ""),
    shape("SG.", "SendGrid key", 40, "-_."),
    shape("dop_v1_", "DigitalOcean token", 40, ""),
    shape("shpat_", "Shopify token", 30, ""),
    shape("hvs.", "Vault token", 20, "-_"),
    shape("dckr_pat_", "Docker token", 20, "-_"),
    shape("lin_api_", "Linear key", 30, ""),
    shape("secret_", "API secret", 40, ""),
    shape("ntn_", "Notion token", 30, ""),
    shape("eyJhbGciOi", "signed token", 40, "-_."),
    shape("eyJ0eXAiOi", "signed token", 40, "-_."),
    shape("AccountKey=", "Azure key", 40, "+/="),
    shape("aws_secret_access_key=", "AWS secret key", 20, "/+"),
    shape("aws_secret_access_key = ", "AWS secret key", 20, "/+"),
    shape("AWS_SECRET_ACCESS_KEY=", "AWS secret key", 20, "/+"),
];

static STARTS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    let starts = SHAPES.iter().map(|shape| shape.start);
    AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(starts).ok()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_found_also_inside_base64() {
        for text in [
            "key AKIAIOSFODNN7EXAMPLE",
            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl",
            "token=ghp_0123456789abcdefghijABCDEFGHIJ012345",
            "c2VjcmV0OiBBS0lBSU9TRk9ETk43RVhBTVBMRSBpcyB0aGUga2V5",
            "sk-ant-api03-abcdefghij0123456789ABCDEFGHIJ",
        ] {
            assert!(find(text).is_some(), "{text}");
        }
    }

    #[test]
    fn words_and_placeholders_are_not_credentials() {
        for text in [
            "ask-a-question-about-the-task-today",
            "sk-xxxxxxxxxxxxxxxxxxxxxxxx",
            "the secret_ingredient",
            "hf_",
            "AKIA",
            "npm_config_registry=https://registry",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
