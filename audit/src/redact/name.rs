//! What a name says of the value beside it: `password`, `X-Api-Key`, `clientSecret`.

/// A name that announces a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) kind: &'static str,
    form: Form,
}

/// What values such a name really has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything that is not evidently a placeholder.
    Any,
    /// As `Any`, but not a path: `pwd` is a folder too.
    NoPath,
    /// Long and mixed: `token` and `auth` name many harmless things.
    Opaque,
    /// `name=value` pairs.
    Pairs,
}

/// Endings of names, letters and digits alone, in lower case; the first that fits counts, so longer ones come first.
pub(super) const NAMES: &[(&str, &str, Form)] = &[
    ("passwordhash", "password-hash", Form::Opaque),
    ("password", "password", Form::Any),
    ("passwd", "password", Form::Any),
    ("passphrase", "passphrase", Form::Any),
    ("passcode", "password", Form::Any),
    ("pwd", "password", Form::NoPath),
    ("secretaccesskey", "aws-secret-key", Form::Any),
    ("clientsecret", "client-secret", Form::Any),
    ("webhooksecret", "webhook-secret", Form::Any),
    ("signingsecret", "signing-secret", Form::Any),
    ("secretkey", "secret-key", Form::Any),
    ("secretkeybase", "secret-key", Form::Any),
    ("sharedsecret", "secret", Form::Any),
    ("secret", "secret", Form::Any),
    ("apikey", "api-key", Form::Any),
    ("apitoken", "api-token", Form::Any),
    ("apisecret", "api-secret", Form::Any),
    ("appkey", "api-key", Form::Opaque),
    ("authkey", "auth-key", Form::Opaque),
    ("accesskey", "access-key", Form::Opaque),
    ("accountkey", "account-key", Form::Opaque),
    ("storagekey", "account-key", Form::Opaque),
    ("subscriptionkey", "subscription-key", Form::Opaque),
    ("licensekey", "license-key", Form::Opaque),
    ("signingkey", "signing-key", Form::Any),
    ("encryptionkey", "encryption-key", Form::Any),
    ("masterkey", "master-key", Form::Any),
    ("privatekey", "private-key", Form::Any),
    ("deploykey", "private-key", Form::Opaque),
    ("accesstoken", "access-token", Form::Any),
    ("refreshtoken", "refresh-token", Form::Any),
    ("authtoken", "auth-token", Form::Any),
    ("bearertoken", "auth-token", Form::Any),
    ("sessiontoken", "session-token", Form::Any),
    ("securitytoken", "session-token", Form::Any),
    ("personaltoken", "access-token", Form::Any),
    ("idtoken", "id-token", Form::Opaque),
    ("proxyauthorization", "authorization", Form::Opaque),
    ("authorization", "authorization", Form::Opaque),
    ("setcookie", "cookie", Form::Pairs),
    ("cookie", "cookie", Form::Pairs),
    ("sessionid", "session-id", Form::Opaque),
    ("sessid", "session-id", Form::Opaque),
    ("connectionstring", "connection-string", Form::Opaque),
    ("mnemonic", "seed-phrase", Form::Opaque),
    ("seedphrase", "seed-phrase", Form::Any),
    ("recoverycode", "recovery-code", Form::Opaque),
    ("token", "token", Form::Opaque),
];

/// Names that end like a credential's and are not: cursors, counters, vocabulary.
const HARMLESS: &[&str] = &[
    "pagetoken",
    "nexttoken",
    "progresstoken",
    "continuationtoken",
    "synctoken",
    "cursortoken",
    "paginationtoken",
    "starttoken",
    "resumetoken",
    "skiptoken",
    "deltatoken",
    "csrftoken",
    "mcpsessionid",
];

/// Anchors for the search: every name above holds one of them once its separators are gone, and these are the ways people
/// write those.
pub(super) const ANCHORS: &[&str] = &[
    "passw",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "api key",
    "api.key",
    "apitoken",
    "appkey",
    "app_key",
    "app-key",
    "authkey",
    "auth_key",
    "auth-key",
    "accesskey",
    "access_key",
    "access-key",
    "access key",
    "accountkey",
    "account_key",
    "account-key",
    "storagekey",
    "storage_key",
    "subscriptionkey",
    "subscription_key",
    "subscription-key",
    "licensekey",
    "license_key",
    "license-key",
    "license key",
    "signingkey",
    "signing_key",
    "signing-key",
    "encryptionkey",
    "encryption_key",
    "encryption-key",
    "masterkey",
    "master_key",
    "master-key",
    "privatekey",
    "private_key",
    "private-key",
    "private key",
    "deploykey",
    "deploy_key",
    "deploy-key",
    "token",
    "authorization",
    "cookie",
    "sessionid",
    "session_id",
    "session-id",
    "sessid",
    "connectionstring",
    "connection_string",
    "connection-string",
    "connection string",
    "mnemonic",
    "seedphrase",
    "seed_phrase",
    "seed-phrase",
    "seed phrase",
    "recoverycode",
    "recovery_code",
    "recovery-code",
    "recovery code",
];

/// The longest name that is looked at.
const LONGEST: usize = 96;

/// What the name announces.
pub(super) fn secret(name: &str) -> Option<Named> {
    if name.len() < 3 || name.len() > LONGEST {
        return None;
    }
    let plain: String =
        name.bytes().filter(u8::is_ascii_alphanumeric).map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    // `password2`, `API_KEY_1`: numbered names of the same thing.
    let plain = plain.trim_end_matches(|c: char| c.is_ascii_digit());
    if HARMLESS.iter().any(|harmless| plain.ends_with(harmless)) {
        return None;
    }
    let (_, kind, form) = NAMES.iter().find(|(ending, _, _)| plain.ends_with(ending))?;
    Some(Named { kind, form: *form })
}

/// Whether a value can be what its name announces, rather than a placeholder, a word or a type.
pub(super) fn plausible(named: &Named, value: &str) -> bool {
    let value = value.trim();
    if value.len() < 4 || is_placeholder(value) || is_prose(value) {
        return false;
    }
    match named.form {
        Form::Any => true,
        Form::NoPath => !value.starts_with(['/', '~', '.']) && !value.contains(":\\"),
        Form::Opaque => is_opaque(value),
        Form::Pairs => value.contains('='),
    }
}

/// Something in it that words do not have, and long enough to be drawn at random.
fn is_opaque(value: &str) -> bool {
    let long = value.len() >= 12;
    let digit = value.bytes().any(|byte| byte.is_ascii_digit());
    let mixed =
        value.bytes().any(|byte| byte.is_ascii_uppercase()) && value.bytes().any(|byte| byte.is_ascii_lowercase());
    let words = value.contains(' ') && value.split(' ').all(|word| word.bytes().all(|byte| byte.is_ascii_alphabetic()));
    // Twelve words or more are a seed phrase; fewer are prose.
    if words { value.split(' ').count() >= 12 } else { long && (digit || mixed) }
}

/// A sentence about the thing, as documentation has it: a passphrase has no such words.
fn is_prose(value: &str) -> bool {
    const SMALL: &[&str] =
        &["the", "your", "a", "an", "of", "for", "to", "is", "must", "be", "this", "used", "with", "if", "in", "or"];
    let mut words = value.split_ascii_whitespace();
    value.split_ascii_whitespace().count() >= 3 && words.any(|word| SMALL.contains(&word.to_ascii_lowercase().as_str()))
}

/// An expression instead of a value: `os.environ[…]`, `settings.API_KEY`, `user_password`.
pub(super) fn is_code(value: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b'.' | b'?' | b'!');
    let joined = value.bytes().any(|byte| matches!(byte, b'_' | b'.'));
    let constant = value.contains('_')
        && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    value.contains("::")
        || constant
        || value.bytes().any(|byte| matches!(byte, b'(' | b'[' | b'{' | b'$' | b'|'))
        || (joined && value.bytes().all(word))
}

/// What stands for a value: `<password>`, `${TOKEN}`, `***`, `your-key-here`.
pub(super) fn is_placeholder(value: &str) -> bool {
    const WORDS: &[&str] = &[
        "null",
        "none",
        "true",
        "false",
        "string",
        "undefined",
        "required",
        "optional",
        "redacted",
        "hidden",
        "changeme",
        "placeholder",
        "password",
        "secret",
        "token",
        "bearer",
        "basic",
        "boolean",
        "number",
        "object",
        "unset",
        "empty",
        "disabled",
        "enabled",
        "process.env",
        "os.environ",
        "getenv",
        "missing",
        "invalid",
        "unknown",
        "expired",
    ];
    let lower = value.to_ascii_lowercase();
    super::span::is_tag(value)
        || value.starts_with("${")
        || value.starts_with("{{")
        || value.starts_with("$(")
        || (value.starts_with('{') && value.ends_with('}'))
        || (value.starts_with('<') && value.ends_with('>'))
        || (value.starts_with('%') && value.ends_with('%'))
        || value.bytes().all(|byte| matches!(byte, b'*' | b'x' | b'X' | b'.' | b'-' | b'_' | b'#' | b'?'))
        || lower.starts_with("your")
        || lower.starts_with("example")
        || WORDS.contains(&lower.as_str())
}
