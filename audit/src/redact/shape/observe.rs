//! Monitoring, logs, flags, analytics.

use super::{Shape, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // grafana.com/docs/grafana/latest/administration/service-accounts; grafana.com/docs/grafana-cloud
    prefix("grafana-token", &["glsa_"], r"glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    prefix("grafana-cloud-token", &["glc_"], r"glc_[A-Za-z0-9+/]{32,}={0,2}"),
    word("grafana-key", &["eyJrIjoi"], r"eyJrIjoi[A-Za-z0-9+/]{40,}={0,2}"),
    // docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys
    prefix("newrelic-key", &["NRAK-", "NRIQ-", "NRII-", "NRSP-", "NRRA-"], r"NR(?:AK|IQ|II|SP|RA)-[A-Za-z0-9_-]{27,}"),
    // docs.datadoghq.com/account_management/api-app-keys
    tied(
        "datadog-key",
        &["datadog", "dd_api", "dd-api", "dd_app", "dd-app"],
        r"(?:[0-9a-f]{40}|[0-9a-f]{32})\b{end-half}",
    ),
    prefix("datadog-app-key", &["ddapp_"], r"ddapp_[A-Za-z0-9]{30,}"),
    // docs.sentry.io/account/auth-tokens
    prefix("sentry-token", &["sntrys_"], r"sntrys_eyJ[A-Za-z0-9+/=_-]{40,}"),
    prefix("sentry-token", &["sntryu_"], r"sntryu_[0-9a-f]{64}"),
    // docs.honeycomb.io/configure/environments/manage-api-keys
    prefix("honeycomb-key", &["hcaik_", "hcbik_", "hccik_"], r"hc[abc]ik_[A-Za-z0-9]{26,}"),
    // docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients
    prefix("dynatrace-token", &["dt0c", "dt0s"], r"dt0[cs][0-9]{2}\.[A-Z0-9]{8,24}\.[A-Z0-9]{64}"),
    // posthog.com/docs/api: personal keys; project keys are public
    word("posthog-key", &["phx_"], r"phx_[A-Za-z0-9]{40,}"),
    // docs.rollbar.com; support.pagerduty.com; docs.opsgenie.com
    tied("rollbar-token", &["rollbar"], r"[0-9a-f]{32}\b{end-half}"),
    tied("pagerduty-key", &["pagerduty", "pd_api", "pd-api"], r"u\+[A-Za-z0-9_+-]{18}"),
    tied("opsgenie-key", &["opsgenie"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    // docs.splunk.com: HTTP Event Collector
    tied("splunk-token", &["splunk"], r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}"),
    // launchdarkly.com/docs/home/account/api: mobile and client ids are public
    word(
        "launchdarkly-key",
        &["sdk-", "api-"],
        r"(?:sdk|api)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    // docs.statsig.com/access-management/api-keys
    word("statsig-secret", &["secret-"], r"secret-[A-Za-z0-9]{36,}"),
    // segment.com/docs/api/public-api; docs.axiom.co/reference/tokens; betterstack.com
    word("axiom-token", &["xaat-", "xapt-"], r"xa[ap]t-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    // docs.sumologic.com; docs.mezmo.com
    tied("sumologic-key", &["sumologic", "sumo_"], r"[A-Za-z0-9]{64}\b{end-half}"),
    // docs.bugsnag.com; docs.appsignal.com; docs.logz.io
    tied("logz-token", &["logzio", "logz_io"], r"[A-Za-z]{32}\b{end-half}").checked(super::Check::None),
    // docs.incident.io, docs.rootly.com
    prefix("rootly-key", &["rootly_"], r"rootly_[0-9a-f]{64}"),
    // docs.lightstep.com; docs.instana.io; docs.split.io
    tied("lightstep-token", &["lightstep"], r"[A-Za-z0-9+/=_-]{60,}"),
    // docs.honeybadger.io/api; www.checklyhq.com/docs/accounts-and-users
    word("honeybadger-token", &["hbp_"], r"hbp_[A-Za-z0-9]{36}\b{end-half}"),
    word("checkly-key", &["cu_"], r"cu_[0-9a-f]{32}\b{end-half}"),
    // amplitude.com/docs/apis/keys-and-tokens; developer.mixpanel.com: secrets; documentation.solarwinds.com: Loggly
    tied("amplitude-secret", &["amplitude"], r"[0-9a-f]{32}\b{end-half}"),
    tied("mixpanel-secret", &["mixpanel"], r"[0-9a-f]{32}\b{end-half}"),
    tied("loggly-token", &["loggly"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    tied("pingdom-token", &["pingdom"], r"[A-Za-z0-9_-]{80,}"),
    // docs.virustotal.com/reference; developer.shodan.io; docs.abuseipdb.com; docs.securitytrails.com
    tied("virustotal-key", &["virustotal", "vt_api"], r"[0-9a-f]{64}\b{end-half}"),
    tied("shodan-key", &["shodan"], r"[A-Za-z0-9]{32}\b{end-half}"),
    tied("abuseipdb-key", &["abuseipdb"], r"[0-9a-f]{80}\b{end-half}"),
    tied("securitytrails-key", &["securitytrails"], r"[A-Za-z0-9]{32}\b{end-half}"),
    // openweathermap.org/appid
    tied("openweather-key", &["openweather"], r"[0-9a-f]{32}\b{end-half}"),
];
