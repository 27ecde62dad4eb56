//! Credentials of no one issuer, secret stores, and our own.

use super::{Check, Shape, marked, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // Agents' tokens of this gateway
    prefix("portcullis-token", &["pcl_"], r"pcl_[A-Za-z0-9_-]{20,}"),
    // RFC 7468, RFC 4716, RFC 9580: private keys in armour, also with escaped line ends, also cut off
    prefix(
        "private-key",
        &["-----BEGIN"],
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[\s\S]*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|[A-Za-z0-9+/=\s\\,:.-]*)",
    ),
    // the.earth.li/~sgtatham/putty: appendix C, PPK
    prefix(
        "putty-private-key",
        &["PuTTY-User-Key-File-"],
        r"PuTTY-User-Key-File-[0-9]:[\s\S]*?Private-MAC: [0-9a-f]{40,64}",
    ),
    // RFC 7519, RFC 7515 §7.1: three parts of base64url, the first two JSON objects
    word("jwt", &["eyJ"], r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
    // RFC 7516 §7.1: five parts
    word(
        "jwe",
        &["eyJ"],
        r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{0,800}\.[A-Za-z0-9_-]{8,64}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,64}",
    ),
    // RFC 6750 §2.1
    word("bearer-token", &["bearer"], r"(?i:bearer)[ \t]{1,4}([A-Za-z0-9._~+/-]{16,}={0,2})").checked(Check::Mixed),
    // RFC 7617
    word("basic-auth", &["basic "], r"(?i:basic)[ \t]{1,4}([A-Za-z0-9+/]{8,}={0,2})").checked(Check::Basic),
    // RFC 6265 §4: both headers, to the end of the line
    word(
        "cookie",
        &["cookie"],
        r#"(?i:cookie)\\{0,3}"?[ \t]{0,2}:[ \t]{0,2}\\{0,3}"?([A-Za-z0-9_.!#$%&'*+^|~-]{1,128}=[^\r\n"\\]{4,})"#,
    ),
    // developer.hashicorp.com/vault/docs/concepts/tokens; openbao.org/docs/concepts/tokens
    prefix("vault-token", &["hvs.", "hvb.", "hvr."], r"hv[sbr]\.[A-Za-z0-9_-]{24,}"),
    tied("vault-token", &["vault_token", "vault-token", "bao_token"], r"[sbr]\.[A-Za-z0-9]{24,}"),
    // developer.hashicorp.com/terraform/cloud-docs/users-teams-organizations/api-tokens
    marked("terraform-token", 14, &[".atlasv1."], r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    // developer.hashicorp.com/consul, nomad: UUIDs
    tied(
        "consul-token",
        &["consul_http_token", "consul-token", "nomad_token", "x-consul-token"],
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    // docs.doppler.com/reference/auth-token-formats
    word("doppler-token", &["dp."], r"dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[A-Za-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,}"),
    // developer.1password.com/docs/service-accounts; support.1password.com/secret-key-security
    prefix("1password-token", &["ops_eyJ"], r"ops_eyJ[A-Za-z0-9+/=_-]{200,}"),
    word(
        "1password-secret-key",
        &["A3-"],
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}",
    ),
    // infisical.com/docs/documentation/platform/token
    word("infisical-token", &["st."], r"st\.[0-9a-f]{24}\.[0-9a-f]{32}\.[0-9a-f]{32}"),
    // github.com/C2SP/C2SP/blob/main/age.md
    prefix(
        "age-key",
        &["AGE-SECRET-KEY-", "AGE-PLUGIN-"],
        r"AGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]+)-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{32,}",
    ),
    // workos.com/docs/reference; clerk.com/docs; stytch.com/docs: `sk_live_` is in `money`
    word("stytch-secret", &["secret-live-", "secret-test-"], r"secret-(?:live|test)-[A-Za-z0-9_-]{32,}={0,2}"),
    // developer.okta.com/docs/guides/create-an-api-token
    tied("okta-token", &["okta", "ssws"], r"00[A-Za-z0-9_-]{40}\b{end-half}"),
    word("okta-token", &["SSWS "], r"SSWS (00[A-Za-z0-9_-]{40})"),
    // docs.permit.io; docs.osohq.com; docs.privateai.com
    prefix("permit-key", &["permit_key_"], r"permit_key_[A-Za-z0-9]{40,}"),
    // id.atlassian.com/manage-profile/security/api-tokens
    prefix("atlassian-token", &["ATATT3"], r"ATATT3[A-Za-z0-9_=-]{60,}"),
    // pages.nist.gov/800-63-3: one-time secrets in provisioning addresses (google-authenticator wiki, Key URI Format)
    prefix(
        "otp-secret",
        &["otpauth://"],
        r"otpauth://[a-z]{4}/[^\s?]{1,200}\?[^\s]{0,200}?(?i:secret)=([A-Za-z2-7]{16,}=*)",
    ),
    // man 5 crypt: hashed passwords can be broken by guessing
    word("password-hash", &["$2a$", "$2b$", "$2y$"], r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}"),
    word(
        "password-hash",
        &["$argon2"],
        r"\$argon2(?:id|i|d)\$v=[0-9]+\$m=[0-9]+,t=[0-9]+,p=[0-9]+\$[A-Za-z0-9+/]{11,}\$[A-Za-z0-9+/]{22,}",
    ),
    word(
        "password-hash",
        &["$1$", "$5$", "$6$", "$y$"],
        r"\$(?:1|5|6|y)\$[./A-Za-z0-9=,$]{1,60}\$[./A-Za-z0-9]{22,86}",
    ),
    // Of no issuer we know: a company, a surface, and something drawn at random. What is drawn is replaced.
    prefix(
        "api-key",
        &["_live_", "_prod_", "_secret_", "_pat_", "_sk_", "_apikey_"],
        r"_(?i:live|prod|secret|pat|sk|apikey)_([A-Za-z0-9]{24,})\b{end-half}",
    )
    .checked(Check::Mixed),
    // docs.jumpcloud.com; docs.hcaptcha.com; auth0.com/docs/get-started/applications; duo.com/docs
    word("jumpcloud-key", &["jca_"], r"jca_[A-Za-z0-9]{36}\b{end-half}"),
    word("hcaptcha-secret", &["ES_"], r"ES_[0-9a-f]{32}\b{end-half}"),
    tied("recaptcha-secret", &["recaptcha"], r"6L[A-Za-z0-9_-]{38}\b{end-half}"),
    tied("auth0-secret", &["auth0"], r"[A-Za-z0-9_-]{64}\b{end-half}"),
    tied("duo-secret", &["duo_s", "duo_api"], r"[A-Za-z0-9]{40}\b{end-half}"),
];
