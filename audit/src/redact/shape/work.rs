//! Messages, mail, documents, work.

use super::{Shape, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // api.slack.com/authentication/token-types
    prefix(
        "slack-token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xoxc-", "xoxd-"],
        r"xox[bparsocd]-[A-Za-z0-9%-]{10,}",
    ),
    prefix("slack-config-token", &["xoxe.", "xoxe-"], r"xoxe(?:\.xox[bp])?-[0-9]-[A-Za-z0-9]{100,}"),
    prefix("slack-app-token", &["xapp-"], r"xapp-[0-9]-[A-Z0-9]+-[0-9]+-[a-z0-9]{32,}"),
    // api.slack.com/messaging/webhooks
    prefix(
        "slack-webhook",
        &["hooks.slack.com/"],
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([A-Za-z0-9+/]{30,})",
    ),
    // discord.com/developers/docs/resources/webhook and /reference#authentication
    prefix(
        "discord-webhook",
        &["discord.com/api/webhooks/", "discordapp.com/api/webhooks/"],
        r"discord(?:app)?\.com/api/webhooks/[0-9]{17,20}/([A-Za-z0-9_-]{60,})",
    ),
    tied("discord-token", &["discord"], r"[A-Za-z0-9_-]{23,28}\.[A-Za-z0-9_-]{6,7}\.[A-Za-z0-9_-]{27,}"),
    // core.telegram.org/bots/api#authorizing-your-bot: the bot's id, a colon, thirty-five
    prefix("telegram-token", &[":AA"], r":(AA[A-Za-z0-9_-]{33})"),
    // learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors
    prefix(
        "teams-webhook",
        &["webhook.office.com/"],
        r"webhook\.office\.com/webhookb2/([0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36})",
    ),
    // www.twilio.com/docs/iam/api-keys
    word("twilio-key", &["SK"], r"SK[0-9a-f]{32}\b{end-half}"),
    tied("twilio-token", &["twilio"], r"[0-9a-f]{32}\b{end-half}"),
    // www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys
    word("sendgrid-key", &["SG."], r"SG\.[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    // documentation.mailgun.com/docs/mailgun/api-reference
    word("mailgun-key", &["key-"], r"key-[0-9a-f]{32}\b{end-half}"),
    tied("mailgun-key", &["mailgun"], r"[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}"),
    // mailchimp.com/developer/marketing/docs/fundamentals
    tied("mailchimp-key", &["mailchimp"], r"[0-9a-f]{32}-us[0-9]{1,2}"),
    super::marked("mailchimp-key", 32, &["-us"], r"[0-9a-f]{32}-us[0-9]{1,2}\b{end-half}"),
    // developers.brevo.com/docs/getting-started
    prefix("brevo-key", &["xkeysib-"], r"xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    prefix("brevo-smtp-key", &["xsmtpsib-"], r"xsmtpsib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    // resend.com/docs/api-reference/introduction
    word("resend-key", &["re_"], r"re_[A-Za-z0-9]{8}_[A-Za-z0-9]{20,}"),
    // postmarkapp.com/developer/api/overview; developers.mailersend.com
    tied("postmark-token", &["postmark"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    prefix("mailersend-token", &["mlsn."], r"mlsn\.[0-9a-f]{64}"),
    // linear.app/developers
    prefix("linear-key", &["lin_api_", "lin_oauth_"], r"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    // developers.notion.com/reference/authentication
    word("notion-token", &["ntn_"], r"ntn_[A-Za-z0-9]{40,}"),
    word("notion-token", &["secret_"], r"secret_[A-Za-z0-9]{43}\b{end-half}"),
    // developers.asana.com/docs/personal-access-token
    word("asana-token", &["1/", "2/"], r"[12]/[0-9]{12,}(?:/[0-9]{12,})?:[0-9a-f]{32}\b{end-half}"),
    // developer.clickup.com/docs/authentication
    word("clickup-token", &["pk_"], r"pk_[0-9]{5,}_[A-Z0-9]{32}"),
    // www.figma.com/developers/api#access-tokens
    prefix("figma-token", &["figd_", "figo_", "figu_"], r"fig[dou]_[A-Za-z0-9_-]{40,}"),
    // developers.hubspot.com/docs/guides/apps/private-apps
    prefix(
        "hubspot-token",
        &["pat-na", "pat-eu"],
        r"pat-(?:na|eu)[0-9]-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
    // help.salesforce.com: session ids
    word("salesforce-token", &["00D"], r"00D[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?![A-Za-z0-9._]{80,}"),
    // www.dropbox.com/developers/documentation
    word("dropbox-token", &["sl."], r"sl\.(?:u\.)?[A-Za-z0-9_-]{120,}"),
    // developer.typeform.com; developer.frame.io; www.contentful.com/developers
    prefix("typeform-token", &["tfp_"], r"tfp_[A-Za-z0-9_.=-]{40,}"),
    prefix("frameio-token", &["fio-u-"], r"fio-u-[A-Za-z0-9_=-]{60,}"),
    prefix("contentful-token", &["CFPAT-"], r"CFPAT-[A-Za-z0-9_-]{43}"),
    // developers.facebook.com/docs/facebook-login/guides/access-tokens
    word("facebook-token", &["EAA"], r"EAA[A-Za-z0-9]{90,}"),
    word("instagram-token", &["IGQV", "IGAA"], r"IG(?:QV|AA)[A-Za-z0-9_-]{80,}"),
    // docs.x.com/fundamentals/authentication
    word("twitter-bearer", &["AAAAAAAAAAAAAAAAAAAAA"], r"A{21,}[A-Za-z0-9%]{60,}").checked(super::Check::Mixed),
    tied("twitch-secret", &["twitch"], r"[a-z0-9]{30}\b{end-half}"),
    tied("spotify-secret", &["spotify"], r"[0-9a-f]{32}\b{end-half}"),
    // developers.zoom.us; developer.zendesk.com; developers.intercom.com
    tied("zendesk-token", &["zendesk"], r"[A-Za-z0-9]{40}\b{end-half}"),
    // novu.co, onesignal, knock: documentation of each
    prefix("onesignal-key", &["os_v2_app_", "os_v2_org_"], r"os_v2_(?:app|org)_[a-z2-7]{90,}"),
    // app.n8n.io; retool; tines; zapier webhooks
    prefix(
        "zapier-webhook",
        &["hooks.zapier.com/hooks/catch/"],
        r"hooks\.zapier\.com/hooks/catch/([0-9]{4,}/[a-z0-9]{5,})",
    ),
    prefix("retool-token", &["retool_"], r"retool_[A-Za-z0-9]{2}_[A-Za-z0-9]{20,}"),
    // getbeamer.com; helpscout; livechat
    word("beamer-key", &["b_"], r"b_[A-Za-z0-9=_-]{44}\b{end-half}").checked(super::Check::Mixed),
    // developers.intercom.com/docs/build-an-integration/learn-more/authentication: base64 of `tok:`
    word("intercom-token", &["dG9rO"], r"dG9rO[A-Za-z0-9+/]{50,}={0,2}"),
    // developer.atlassian.com/cloud/trello/guides/rest-api/api-introduction
    word("trello-token", &["ATTA"], r"ATTA[0-9a-f]{64}\b{end-half}"),
    tied("trello-token", &["trello"], r"[0-9a-f]{64}\b{end-half}"),
    // www.zoho.com/accounts/protocol/oauth: data centre, two parts
    word("zoho-token", &["1000."], r"1000\.[0-9a-f]{32}\.[0-9a-f]{32}"),
    // element-hq.github.io/synapse: access tokens
    word("matrix-token", &["syt_"], r"syt_[A-Za-z0-9+/=_-]{1,128}_[A-Za-z]{20}_[A-Za-z0-9]{6}"),
    // developers.mattermost.com/integrate/reference/personal-access-token; zulip.com/api/api-keys
    tied("mattermost-token", &["mattermost"], r"[a-z0-9]{26}\b{end-half}"),
    tied("zulip-key", &["zulip"], r"[A-Za-z0-9]{32}\b{end-half}"),
    // pushover.net/api; pusher.com/docs; ably.com/docs/auth/basic
    tied("pushover-token", &["pushover"], r"[a-z0-9]{30}\b{end-half}"),
    tied("pusher-secret", &["pusher"], r"[0-9a-f]{20}\b{end-half}"),
    tied("ably-key", &["ably"], r"[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{6}:[A-Za-z0-9_-]{43}"),
    // developers.telnyx.com/api/overview; developers.messagebird.com
    word("telnyx-key", &["KEY0"], r"KEY0[0-9A-F]{31}_[A-Za-z0-9]{22}\b{end-half}"),
    tied("messagebird-key", &["messagebird"], r"(?:live_)?[A-Za-z0-9]{25}\b{end-half}"),
    // mailchimp.com/developer/transactional/docs/fundamentals; developers.sparkpost.com; dev.mailjet.com
    word("mandrill-key", &["md-"], r"md-[A-Za-z0-9_-]{22}\b{end-half}").checked(super::Check::Mixed),
    tied("sparkpost-key", &["sparkpost"], r"[0-9a-f]{40}\b{end-half}"),
    tied("mailjet-key", &["mailjet"], r"[0-9a-f]{32}\b{end-half}"),
    // developers.klaviyo.com/en/docs/authenticate_: private keys; www.courier.com/docs
    word("klaviyo-key", &["pk_"], r"pk_[0-9a-f]{34}\b{end-half}"),
    prefix("courier-key", &["pk_prod_", "pk_test_"], r"pk_(?:prod|test)_[A-Z0-9]{28}\b{end-half}"),
    // cal.com/docs/api-reference; developer.todoist.com; developers.pipedrive.com; smartsheet.redoc.ly
    word("cal-key", &["cal_live_", "cal_test_"], r"cal_(?:live|test)_[0-9a-f]{32}\b{end-half}"),
    tied("todoist-token", &["todoist"], r"[0-9a-f]{40}\b{end-half}"),
    tied("pipedrive-token", &["pipedrive"], r"[0-9a-f]{40}\b{end-half}"),
    tied("smartsheet-token", &["smartsheet"], r"[A-Za-z0-9]{26,37}\b{end-half}"),
    // coda.io/developers; developer.shortcut.com
    tied("coda-token", &["coda_"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    tied(
        "shortcut-token",
        &["shortcut_api", "shortcut-token"],
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    ),
];
