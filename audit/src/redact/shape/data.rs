//! Databases and data platforms, and secrets in addresses.

use super::{Check, Shape, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // RFC 3986 §3.2.1: `user:password@` in an address, connection strings among them
    prefix("url-password", &["://"], r#"://[^\s/?#:@"'<>\\]{0,128}:([^\s/?#@"'<>\\]{1,256})@"#).checked(Check::Real),
    // A password may hold what should have been escaped: it ends at the last `@` before the host
    prefix(
        "url-password",
        &["://"],
        r#"://[^\s/?#:@"'<>\\]{1,128}:([^\s"'<>\\]{1,256})@[A-Za-z0-9._-]+(?::[0-9]{1,5})?/"#,
    )
    .checked(Check::Real),
    prefix("url-token", &["://"], r"://([A-Za-z0-9_-]{20,256})@").checked(Check::Mixed),
    // docs.databricks.com/dev-tools/auth/pat.html
    word("databricks-token", &["dapi", "dkea", "dose"], r"(?:dapi|dkea|dose)[0-9a-f]{32}(?:-[0-9])?\b{end-half}"),
    // planetscale.com/docs/concepts/service-tokens
    prefix(
        "planetscale-token",
        &["pscale_tkn_", "pscale_oauth_", "pscale_pw_"],
        r"pscale_(?:tkn|oauth|pw)_[A-Za-z0-9_=.-]{32,}",
    ),
    // supabase.com/docs/guides/api/api-keys
    word("supabase-token", &["sbp_"], r"sbp_(?:v[0-9]_)?[0-9a-f]{40}"),
    prefix("supabase-secret-key", &["sb_secret_"], r"sb_secret_[A-Za-z0-9_-]{30,}"),
    // neon.com/docs/manage/api-keys
    word("neon-key", &["napi_"], r"napi_[a-z0-9]{60,}"),
    // www.mongodb.com/docs/atlas/configure-api-access
    prefix("mongodb-secret", &["mdb_sa_sk_"], r"mdb_sa_sk_[A-Za-z0-9_-]{40}"),
    // www.cockroachlabs.com/docs/cockroachcloud/managing-access
    prefix("cockroach-key", &["CCDB1_"], r"CCDB1_[A-Za-z0-9]{22}_[A-Za-z0-9]{40}"),
    // aiven.io/docs/platform/concepts/authentication-tokens
    prefix("aiven-password", &["AVNS_"], r"AVNS_[A-Za-z0-9_-]{19}"),
    // clickhouse.com/docs/cloud/manage/openapi
    word("clickhouse-secret", &["4b1d"], r"4b1d[A-Za-z0-9]{38}\b{end-half}"),
    // docs.getdbt.com/docs/dbt-cloud-apis/authentication
    prefix("dbt-token", &["dbtc_", "dbtu_"], r"dbt[cu]_[A-Za-z0-9_+/=-]{30,}"),
    // docs.confluent.io: API secrets; docs.snowflake.com: programmatic access tokens
    tied("confluent-secret", &["confluent"], r"[A-Za-z0-9+/]{64}\b{end-half}"),
    // www.algolia.com/doc/guides/security/api-keys; www.meilisearch.com
    tied("algolia-key", &["algolia"], r"[0-9a-f]{32}\b{end-half}"),
    // airtable.com/developers/web/guides/personal-access-tokens
    word("airtable-token", &["pat"], r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    // docs.mapbox.com/help/getting-started/access-tokens: only `sk` and `tk` are secret
    word("mapbox-token", &["sk.eyJ", "tk.eyJ"], r"[st]k\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}"),
    // support.maxmind.com: license keys
    super::marked("maxmind-key", 36, &["_mmk"], r"[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk"),
    // docs.kaggle.com; docs.rapidapi.com
    tied("kaggle-key", &["kaggle"], r"[0-9a-f]{32}\b{end-half}"),
    tied("rapidapi-key", &["rapidapi"], r"[A-Za-z0-9]{50}\b{end-half}"),
    // cloudinary.com/documentation: the address holds key and secret, caught above; the secret alone
    tied("cloudinary-secret", &["cloudinary"], r"[A-Za-z0-9_-]{27}\b{end-half}"),
    // docs.duffel.com; docs.goshippo.com; docs.easypost.com
    prefix("duffel-token", &["duffel_"], r"duffel_(?:test|live)_[A-Za-z0-9_=-]{43}"),
    prefix("shippo-token", &["shippo_"], r"shippo_(?:live|test)_[0-9a-f]{40}"),
    word("easypost-key", &["EZAK", "EZTK"], r"EZ[AT]K[A-Za-z0-9]{54}"),
    // xata.io/docs/concepts/api-keys; www.datocms.com/docs
    word("xata-key", &["xau_"], r"xau_[A-Za-z0-9]{40,}"),
    tied("datocms-token", &["datocms"], r"[0-9a-f]{30}\b{end-half}"),
    // www.sanity.io/docs/http-auth
    tied("sanity-token", &["sanity"], r"sk[A-Za-z0-9]{80,}"),
    // gitbook.com/docs/developers
    prefix("gitbook-token", &["gb_api_"], r"gb_api_[A-Za-z0-9]{30,}"),
];
