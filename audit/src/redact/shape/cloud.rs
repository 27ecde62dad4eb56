//! Clouds, hosts and networks.

use super::{Check, Shape, marked, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: four letters of kind, sixteen of base 32
    word("aws-access-key-id", &["AKIA", "ASIA", "ABIA", "ACCA"], r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b{end-half}"),
    tied("aws-secret-key", &["secretaccesskey", "secret_access_key", "aws_secret", "aws-secret"], r"[A-Za-z0-9/+]{40}"),
    tied("aws-session-token", &["aws_session_token", "x-amz-security-token"], r"[A-Za-z0-9/+=]{100,}"),
    // docs.aws.amazon.com/bedrock/latest/userguide/api-keys.html
    prefix("aws-bedrock-key", &["ABSKQmVkcm9ja0FQSUtleS"], r"ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/]{60,}={0,2}"),
    prefix("aws-bedrock-key", &["bedrock-api-key-"], r"bedrock-api-key-[A-Za-z0-9+/=]{60,}"),
    // docs.aws.amazon.com/general/latest/gr/mws: Marketplace Web Service tokens
    prefix("aws-mws-token", &["amzn.mws."], r"amzn\.mws\.[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    // cloud.google.com/docs/authentication/api-keys
    word("google-api-key", &["AIza"], r"AIza[A-Za-z0-9_-]{35}"),
    // developers.google.com/identity/protocols/oauth2
    prefix("google-oauth-secret", &["GOCSPX-"], r"GOCSPX-[A-Za-z0-9_-]{28}"),
    word("google-oauth-token", &["ya29."], r"ya29\.[A-Za-z0-9_-]{20,}"),
    word("google-refresh-token", &["1//0"], r"1//0[A-Za-z0-9_-]{30,}"),
    // firebase.google.com/docs/cloud-messaging: legacy server keys
    word("firebase-server-key", &["AAAA"], r"AAAA[A-Za-z0-9_-]{7}:[A-Za-z0-9_-]{140}"),
    // learn.microsoft.com: identifiable secrets carry a signature of four characters at a fixed place
    marked("azure-storage-key", 76, &["+ASt"], r"[A-Za-z0-9+/]{76}\+ASt[A-Za-z0-9+/]{5}[AQgw]=="),
    marked("azure-cosmos-key", 76, &["ACDb"], r"[A-Za-z0-9+/]{76}ACDb[A-Za-z0-9+/]{5}[AQgw]=="),
    marked("azure-batch-key", 76, &["+ABa"], r"[A-Za-z0-9+/]{76}\+ABa[A-Za-z0-9+/]{5}[AQgw]=="),
    marked("azure-service-bus-key", 33, &["+ASb"], r"[A-Za-z0-9+/]{33}\+ASb[A-Za-z0-9+/]{5}="),
    marked("azure-event-hub-key", 33, &["+AEh"], r"[A-Za-z0-9+/]{33}\+AEh[A-Za-z0-9+/]{5}="),
    marked("azure-relay-key", 33, &["+ARm"], r"[A-Za-z0-9+/]{33}\+ARm[A-Za-z0-9+/]{5}="),
    marked("azure-iot-key", 33, &["AIoT"], r"[A-Za-z0-9+/]{33}AIoT[A-Za-z0-9+/]{5}="),
    marked("azure-redis-key", 33, &["AzCa"], r"[A-Za-z0-9+/]{33}AzCa[A-Za-z0-9+/]{5}="),
    marked("azure-function-key", 44, &["AzFu"], r"[A-Za-z0-9_-]{44}AzFu[A-Za-z0-9_-]{5}[AQgw]=="),
    marked("azure-search-key", 42, &["AzSe"], r"[A-Za-z0-9]{42}AzSe[A-D][A-Za-z0-9]{5}"),
    marked("azure-registry-key", 42, &["+ACR"], r"[A-Za-z0-9+/]{42}\+ACR[A-D][A-Za-z0-9+/]{5}"),
    marked("azure-ai-key", 52, &["JQQJ99"], r"[A-Za-z0-9]{52}JQQJ99[A-Za-z0-9]{26}"),
    marked("azure-devops-token", 76, &["AZDO"], r"[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}"),
    // learn.microsoft.com/entra/identity-platform: client secrets have `Q~` after three characters and a digit
    marked("azure-client-secret", 4, &["Q~"], r"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    // docs.digitalocean.com/reference/api/create-personal-access-token
    prefix("digitalocean-token", &["dop_v1_", "doo_v1_", "dor_v1_"], r"do[opr]_v1_[0-9a-f]{64}"),
    // devcenter.heroku.com/articles/platform-api-reference
    prefix("heroku-key", &["HRKU-"], r"HRKU-[A-Za-z0-9_-]{36,}"),
    // developers.cloudflare.com/fundamentals/api: origin CA keys; API tokens are forty without a prefix
    word("cloudflare-origin-key", &["v1.0-"], r"v1\.0-[0-9a-f]{24}-[0-9a-f]{146}"),
    tied("cloudflare-token", &["cloudflare", "cf_api"], r"(?:[0-9a-f]{37}|[A-Za-z0-9_-]{40})\b{end-half}"),
    // fly.io/docs/security/tokens
    word("fly-token", &["FlyV1 "], r"FlyV1 [A-Za-z0-9+/=,_ -]{40,}"),
    word("fly-token", &["fo1_"], r"fo1_[A-Za-z0-9_-]{43}"),
    prefix("fly-token", &["fm1r_", "fm1a_", "fm2_"], r"fm(?:1[ar]|2)_[A-Za-z0-9+/=_-]{80,}"),
    // docs.netlify.com/api/get-started
    word("netlify-token", &["nfp_", "nfc_", "nfo_"], r"nf[pco]_[A-Za-z0-9_]{36,}"),
    // render.com/docs/api
    word("render-key", &["rnd_"], r"rnd_[A-Za-z0-9]{28,}"),
    // vercel.com/docs/rest-api
    word("vercel-token", &["vcp_", "vci_", "vca_", "vcr_", "vck_"], r"vc[piark]_[A-Za-z0-9]{24,}"),
    // alibabacloud.com/help: AccessKey ids; cloud.tencent.com: SecretId
    word("alibaba-key-id", &["LTAI"], r"LTAI[A-Za-z0-9]{12,24}\b{end-half}").checked(Check::Mixed),
    word("tencent-key-id", &["AKID"], r"AKID[A-Za-z0-9]{32}\b{end-half}"),
    // yandex.cloud/docs/iam: API keys, IAM tokens, OAuth
    word("yandex-key", &["AQVN"], r"AQVN[A-Za-z0-9_-]{34,}"),
    word("yandex-token", &["t1."], r"t1\.[A-Za-z0-9_-]{40,}\.[A-Za-z0-9_-]{80,}"),
    word("yandex-token", &["y0_"], r"y0_[A-Za-z0-9_-]{40,}"),
    // www.scaleway.com/en/docs: access keys
    word("scaleway-key-id", &["SCW"], r"SCW[A-Z0-9]{17}\b{end-half}"),
    // tailscale.com/kb/1252/key-secret-management
    prefix("tailscale-key", &["tskey-"], r"tskey-[a-z]+-[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?"),
    // docs.defined.net
    prefix("defined-networking-key", &["dnkey-"], r"dnkey-[A-Za-z0-9=_-]{26}-[A-Za-z0-9=_-]{52}"),
    // ngrok.com/docs/api
    tied("ngrok-token", &["ngrok"], r"[A-Za-z0-9]{20,30}_[A-Za-z0-9]{16,24}\b{end-half}"),
    // techdocs.akamai.com/developer/docs/edgegrid
    prefix("akamai-token", &["akab-"], r"akab-[a-z0-9]{16}-[a-z0-9]{16}"),
    // www.fastly.com/documentation/reference/api; techdocs.akamai.com/linode-api; docs.hetzner.cloud
    tied("fastly-token", &["fastly"], r"[A-Za-z0-9_-]{32}\b{end-half}"),
    tied("linode-token", &["linode"], r"[0-9a-f]{64}\b{end-half}"),
    tied("hetzner-token", &["hetzner", "hcloud"], r"[A-Za-z0-9]{64}\b{end-half}"),
    tied("vultr-key", &["vultr"], r"[A-Z0-9]{36}\b{end-half}"),
    // cloud.ibm.com/docs/account: API keys
    tied("ibm-cloud-key", &["ibmcloud", "ibm_cloud", "ibm-cloud"], r"[A-Za-z0-9_-]{44}\b{end-half}"),
    // docs.openshift.com: OAuth access tokens
    prefix("openshift-token", &["sha256~"], r"sha256~[A-Za-z0-9_-]{43}"),
    // docs.settlemint.com; developers.scalingo.com
    prefix("scalingo-token", &["tk-us-"], r"tk-us-[A-Za-z0-9_-]{48}"),
    prefix("settlemint-token", &["sm_aat_", "sm_pat_", "sm_sat_"], r"sm_[aps]at_[A-Za-z0-9]{16,}"),
    // docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html: who has the address has the object
    prefix("aws-signature", &["X-Amz-Signature="], r"(?i:X-Amz-Signature)=([0-9a-f]{64})"),
    // cloud.google.com/storage/docs/authentication/signatures
    prefix("google-signature", &["X-Goog-Signature="], r"(?i:X-Goog-Signature)=([0-9a-f]{256,1024})"),
    // learn.microsoft.com/rest/api/storageservices/create-service-sas
    prefix("azure-sas", &["sig="], r"sig=([A-Za-z0-9/+%]{40,60}(?:%3[dD]|=))").checked(Check::Mixed),
    // www.backblaze.com/docs/cloud-storage-application-keys; community.exoscale.com
    word("backblaze-key", &["K00"], r"K00[0-9][A-Za-z0-9+/]{27}\b{end-half}").checked(Check::Mixed),
    word("exoscale-key-id", &["EXO"], r"EXO[a-f0-9]{24}\b{end-half}"),
    // www.scaleway.com/en/docs/iam/concepts: secret keys; help.ovhcloud.com: application secrets
    tied(
        "scaleway-secret",
        &["scw_secret", "scaleway"],
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    tied("ovh-secret", &["ovh_"], r"[A-Za-z0-9]{32}\b{end-half}"),
    // www.wireguard.com/quickstart: a clamped Curve25519 scalar
    tied("wireguard-private-key", &["privatekey", "presharedkey"], r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="),
];
