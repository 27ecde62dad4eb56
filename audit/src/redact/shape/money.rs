//! Payments and commerce.

use super::{Shape, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // docs.stripe.com/keys
    prefix("stripe-key", &["sk_live_", "sk_test_", "sk_prod_"], r"sk_(?:live|test|prod)_[A-Za-z0-9]{16,}"),
    prefix("stripe-restricted-key", &["rk_live_", "rk_test_"], r"rk_(?:live|test)_[A-Za-z0-9]{16,}"),
    // docs.stripe.com/webhooks; www.standardwebhooks.com
    prefix("webhook-secret", &["whsec_"], r"whsec_[A-Za-z0-9+/=]{24,}"),
    // developer.squareup.com/docs/build-basics/access-tokens
    prefix("square-token", &["sq0atp-"], r"sq0atp-[A-Za-z0-9_-]{22,}"),
    prefix("square-secret", &["sq0csp-"], r"sq0csp-[A-Za-z0-9_-]{40,}"),
    word("square-token", &["EAAA"], r"EAAA[A-Za-z0-9_-]{60}\b{end-half}"),
    // developer.paypal.com/braintree/docs
    prefix("braintree-token", &["access_token$"], r"access_token\$(?:production|sandbox)\$[0-9a-z]{16}\$[0-9a-f]{32}"),
    // shopify.dev/docs/apps/build/authentication-authorization
    prefix("shopify-token", &["shpat_", "shpca_", "shppa_", "shptka_"], r"shp(?:at|ca|pa|tka)_[0-9a-fA-F]{32}"),
    prefix("shopify-secret", &["shpss_"], r"shpss_[0-9a-fA-F]{32}"),
    // docs.adyen.com/development-resources/api-credentials
    word("adyen-key", &["AQE"], r"AQE[a-z][A-Za-z0-9+/]{60,}={0,2}-[A-Za-z0-9+/=]{40,}"),
    // plaid.com/docs/api
    prefix(
        "plaid-token",
        &["access-production-", "access-sandbox-", "access-development-"],
        r"access-(?:production|sandbox|development)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    // razorpay.com/docs/api/authentication
    word("razorpay-key-id", &["rzp_live_", "rzp_test_"], r"rzp_(?:live|test)_[A-Za-z0-9]{14,}"),
    // developer.flutterwave.com/docs/authentication
    prefix("flutterwave-key", &["FLWSECK"], r"FLWSECK(?:_TEST)?-[0-9a-zA-Z]{12,}(?:-X)?"),
    // docs.mollie.com/reference/authentication
    word("mollie-key", &["live_", "test_"], r"(?:live|test)_[A-Za-z0-9]{30,}").checked(super::Check::Mixed),
    // docs.lemonsqueezy.com and polar.sh/docs: organization tokens
    prefix("polar-token", &["polar_oat_", "polar_pat_"], r"polar_[op]at_[A-Za-z0-9]{30,}"),
    // docs.cdp.coinbase.com; binance-docs.github.io
    tied("binance-secret", &["binance"], r"[A-Za-z0-9]{64}\b{end-half}"),
    tied("coinbase-secret", &["coinbase"], r"[A-Za-z0-9+/=_-]{64,88}"),
    // bips.dev/32: extended private keys; en.bitcoin.it/wiki/Wallet_import_format
    word("bip32-private-key", &["xprv"], r"xprv[1-9A-HJ-NP-Za-km-z]{107}"),
    tied("ethereum-private-key", &["private_key", "privatekey", "private-key"], r"0x[0-9a-fA-F]{64}\b{end-half}"),
    // developer.paddle.com/api-reference/about/api-keys
    prefix(
        "paddle-key",
        &["pdl_live_apikey_", "pdl_sdbx_apikey_"],
        r"pdl_(?:live|sdbx)_apikey_[A-Za-z0-9]{26}_[A-Za-z0-9_]{26}",
    ),
    // docs.recurly.com; developer.gocardless.com
    tied("gocardless-token", &["gocardless"], r"(?:live|sandbox)_[A-Za-z0-9_-]{40}"),
    // woocommerce.github.io/woocommerce-rest-api-docs
    word("woocommerce-secret", &["cs_", "ck_"], r"c[sk]_[0-9a-f]{40}\b{end-half}"),
    // www.mercadopago.com/developers/en/docs/your-integrations/credentials
    prefix("mercadopago-token", &["APP_USR-"], r"APP_USR-[0-9]{10,}-[0-9]{6}-[0-9a-f]{32}-[0-9]{5,}"),
    // developers.xendit.co; docs.midtrans.com
    prefix("xendit-key", &["xnd_production_", "xnd_development_"], r"xnd_(?:production|development)_[A-Za-z0-9]{30,}"),
    prefix("midtrans-key", &["Mid-server-"], r"Mid-server-[A-Za-z0-9_-]{20,}"),
    // docs.kraken.com/api; docs.lob.com
    tied("kraken-secret", &["kraken"], r"[A-Za-z0-9+/]{86}=="),
    tied("lob-key", &["lob_api", "lob-api"], r"(?:live|test)_[0-9a-f]{35}\b{end-half}"),
    // github.com/nostr-protocol/nips/blob/master/19.md; bips.dev/38
    word("nostr-private-key", &["nsec1"], r"nsec1[02-9ac-hj-np-z]{58}\b{end-half}"),
    word("bip38-private-key", &["6P"], r"6P[1-9A-HJ-NP-Za-km-z]{56}\b{end-half}"),
];
