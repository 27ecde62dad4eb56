//! The words of tool names: what each says of a tool, as a verb or as a thing.

use std::collections::HashMap;
use std::sync::LazyLock;

/// What a word says.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Word {
    /// What it does, where it is a verb.
    pub(super) does: Option<Does>,
    /// Whether it is a verb wherever it stands; `issue` and `post` are not.
    pub(super) sure: bool,
    /// What it is a thing of: a set of the bits in [`thing`].
    pub(super) things: u64,
}

/// What a verb does before its object is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Does {
    /// Looks, computes, converts, waits.
    Read,
    /// Asks whether something could be done: what follows is not done.
    Ask,
    /// Opens a page.
    Visit,
    /// Takes data out, perhaps into a file.
    Export,
    /// Makes something up: a picture, a text, a key.
    Generate,
    /// Acts on a page or a window.
    Interact,
    /// Writes down.
    Log,
    /// Turns a switch, plays, dims.
    Turn,
    /// Changes what later calls act on.
    Switch,
    /// Makes or changes.
    Write,
    /// Puts one thing to others.
    Add,
    /// Puts aside, to be found again.
    Archive,
    /// `close`, `open`, `cancel`, `resolve`, `approve`, `capture`, `clear`, `reset`, `sign`, `schedule`: by object.
    Close,
    Open,
    Cancel,
    Resolve,
    Approve,
    Capture,
    Clear,
    Reset,
    Sign,
    Schedule,
    /// Commits to a booking.
    Book,
    /// Starts, stops, deploys.
    Operate,
    /// Does whatever its object says: `manage_…`, `handle_…`, `call_tool`.
    Any,
    /// `run`, `execute`: by object, code unless it is known better.
    Run,
    /// Sends.
    Send,
    /// Asks in.
    Invite,
    /// Gives a permission.
    Grant,
    /// Removes.
    Remove,
    /// Replaces for good.
    Overwrite,
    /// Moves money.
    Pay,
    /// Changes who someone is or how they prove it.
    Identify,
    /// Runs code, whatever the object.
    Execute,
}

/// What things are; a word may be several.
pub(super) mod thing {
    macro_rules! bits {
        ($($(#[$doc:meta])* $name:ident),* $(,)?) => { bits!(@ 0u32; $($(#[$doc])* $name),*); };
        (@ $n:expr; $(#[$doc:meta])* $name:ident $(, $(#[$more:meta])* $rest:ident)*) => {
            $(#[$doc])* pub(in crate::facts) const $name: u64 = 1 << ($n);
            bits!(@ $n + 1; $($(#[$more])* $rest),*);
        };
        (@ $n:expr;) => {};
    }
    bits! {
        /// The agent's own: notes, memories, reminders.
        OWN, TASK, DRAFT, EVENT, MAIL, CHAT, TRACKER, DOC, WEB, MEDIA, HOME, GUARD,
        PERSON, PRIVATE, FINANCE, MARKET, PAYMENT, BILL, SECRET, KEY, IDENTITY, GRANT, POLICY, WEBHOOK,
        FILE, CODE, SQL, QUERY, REPORT, WORKFLOW, MACHINE, BROWSER, VIEW, MATH, ROOM, REPO, CRYPTO, EXTENSION,
        TRIP, LABEL, CACHE, GENERIC, NAMES, SHELL, CLI, NOSQL, DIRECT, RECORDS, TOOLING, CLOUD, CALENDAR,
        LEDGER, STATE,
    }
}

use thing as t;

/// What a word says, if it says anything.
pub(super) fn word(token: &str) -> Option<&'static Word> {
    WORDS.get(token)
}

static WORDS: LazyLock<HashMap<&'static str, Word>> = LazyLock::new(|| {
    let mut words: HashMap<&'static str, Word> = HashMap::with_capacity(2048);
    for (does, sure, list) in VERBS {
        for token in list.split_ascii_whitespace() {
            let word = words.entry(token).or_default();
            (word.does, word.sure) = (Some(*does), *sure);
        }
    }
    for (things, list) in THINGS {
        for token in list.split_ascii_whitespace() {
            words.entry(token).or_default().things |= things;
        }
    }
    words
});

/// Verbs: those that are nothing else (`true`), and those that are things too.
const VERBS: &[(Does, bool, &str)] = &[
    (
        Does::Read,
        true,
        "get gets check list read search find show describe view fetch lookup retrieve count inspect browse \
         summarize summarise analyze analyse explain compare diff ping verify validate preview peek head tail ls stat grep \
         glob scan monitor watch wait poll explore discover lint parse translate calculate calc compute convert \
         echo think reason sum subtract multiply divide roll hash encode decode render sample suggest recommend detect \
         classify measure recall locate identify extract scrape crawl screenshot scroll observe geocode \
         dump enumerate whoami pwd tree dig whois traceroute nslookup obtain ask tell autocomplete rank receive encrypt decrypt demonstrate upscale downscale factorize flip hget hgetall hmget hkeys hvals hlen hexists smembers sismember scard zrange zscore zcard llen lrange lindex mget ttl strlen getrange xrange xlen dbsize \
         normalize normalise tokenize sort aggregate simulate predict interpret debug introspect recommend \
         paginate iterate visualize visualise plot transcribe ocr caption embed rerank similarity \
         research crawl spider reflect brainstorm solve divide modulo sqrt factorial round floor ceil \
         leer obtener buscar listar lire obtenir chercher lister lesen suchen anzeigen auflisten mostrar consultar ver \
         afficher abrufen holen cercare leggere elencare ler ask enumerate trace blame head describe cat sleep poll \
         lookup query_only whatis",
    ),
    (
        Does::Read,
        false,
        "query history status info stats statistics metrics version help availability select test review profile map \
         search_results look see audit match filter format report weather forecast temperature \
         price prices quote quotes rate rates balance schema metadata details overview summary documentation readme \
         directions distance elevation timezone time date clock calendar holidays definition definitions dictionary synonyms news \
         headlines transcript leaderboard scores score timeline uuid random dice calculator math joke trivia \
         health capabilities usage logs snapshot tracking ticker candles orderbook changelog \
         graph tags describe thinking sequentialthinking sitemap sunrise sunset exchange currency units unit conversion \
         recipe recipes nutrition horoscope lyrics wiki wikipedia hello greet greeting hover snapshot nearby places place_details geocoding \
         reverse listing quota outline symbols hover definition references diagnostics context docs \
         unread activity recent latest size sizes length total count indexes inverse transpose determinant between completion completions researcher ls_files rev shortlog log ps df du top env printenv now today",
    ),
    (
        Does::Ask,
        true,
        "is has can should could does exists contains would estimate dryrun plan verify validate simulate preview rehearse",
    ),
    (Does::Visit, true, "navigate goto visit"),
    (Does::Visit, false, "go"),
    (Does::Export, true, "download export save_as pdf"),
    (Does::Generate, true, "generate compose imagine synthesize synthesise paint sketch"),
    (Does::Generate, false, "draw design"),
    (
        Does::Interact,
        true,
        "click type fill press hover tap drag swipe doubleclick keydown keyup mousemove mousedown mouseup \
         resize focus blur dblclick emulate",
    ),
    (Does::Interact, false, "key mouse keyboard"),
    (Does::Log, true, "remember memorize memorise note jot capture_insight memo"),
    (Does::Log, false, "draft log record track bookmark star favorite favourite"),
    (Does::Turn, true, "toggle dim brighten mute unmute skip shuffle"),
    (Does::Turn, false, "turn play pause volume next previous resume light lights"),
    (Does::Switch, true, "switch"),
    (Does::Switch, false, "use"),
    (
        Does::Write,
        true,
        "create update edit modify write set put patch insert append make rename move copy upsert save store \
         change replace assign unassign attach detach merge rebase cherry init initialize initialise register mark migrate \
         configure import mkdir touch cp mv transition restore revert undo apply complete finish upgrade downgrade increment decrement incr decr \
         hset sadd zadd lpush rpush rename reorder prioritize customize duplicate revise amend alter adjust override \
         hide unhide pin unpin follow unfollow subscribe unsubscribe enroll unenroll snooze translate_file rewrite \
         crear actualizar escribir modificar guardar ajouter modifier ecrire schreiben erstellen aktualisieren aendern criar \
         scaffold refactor autofix populate seed provide synchronize synchronise ingest index_repository stash pop \
         reschedule setup materialize unarchive untrash undelete unflag reopen adopt expand convert_to rate_limit hincrby hmset mset setex lset xadd",
    ),
    (
        Does::Write,
        false,
        "branch commit label tag fork clone checkout pull worktree link sync backup file index stage unstage bump form \
         indent patch_file version_bump transform compress zip unzip crop watermark annotate new",
    ),
    (Does::Add, true, "add"),
    (Does::Archive, true, "unstar unlabel"),
    (Does::Archive, false, "archive"),
    (Does::Close, true, "close dismiss"),
    (Does::Open, true, "open"),
    (Does::Cancel, true, "cancel decline reject"),
    (Does::Resolve, true, "resolve"),
    (Does::Approve, true, "approve accept confirm authorize authorise ratify"),
    (Does::Capture, true, "capture"),
    (Does::Clear, true, "clear empty"),
    (Does::Reset, true, "reset reinitialize recreate factoryreset"),
    (Does::Sign, true, "sign"),
    (Does::Schedule, true, "schedule"),
    (Does::Book, true, "reserve rent preorder"),
    (Does::Book, false, "book"),
    (
        Does::Operate,
        true,
        "start stop restart reboot shutdown suspend trigger dispatch rerun retry deploy redeploy rollback \
         provision launch lock unlock arm disarm enable disable activate deactivate drain cordon uncordon kill abort wake poweroff \
         poweron connect disconnect mount unmount reload invoke hibernate rollout promote demote undeploy \
         failover throttle unpause halt begin stopall interrupt signal freeze unfreeze renew acknowledge ack silence hire",
    ),
    (Does::Operate, false, "block scale print power port_forward portforward release print restart_service"),
    (Does::Any, true, "manage handle process perform operate control administer orchestrate act do"),
    (
        Does::Any,
        false,
        "call request http api action operation tool batch bulk curl graphql rest rpc dispatch_tool multi",
    ),
    (Does::Run, true, "run execute exec perform_command"),
    (
        Does::Execute,
        true,
        "eval evaluate spawn install uninstall_run npx shell bash zsh powershell pwsh runas compile_and_run ejecutar \
         executer ausfuehren executar interact instrument inject deserialize",
    ),
    (
        Does::Execute,
        false,
        "sh cmd terminal command script python javascript repl console_exec code ipython nodejs ssh",
    ),
    (
        Does::Send,
        true,
        "send reply forward publish tweet retweet notify broadcast announce submit upload respond dial \
         react upvote downvote vote repost crosspost enviar envoyer senden inviare mandar publicar publier transmit \
         unfurl escalate ping_user nudge remind_user deliver emit finalize rsvp join leave escribir_mensaje dm page_oncall",
    ),
    (
        Does::Send,
        false,
        "post email mail message text sms comment push chat speak say like share_link answer fax webhook poke whisper",
    ),
    (Does::Invite, true, "invite onboard inviter einladen invitar convidar"),
    (
        Does::Grant,
        true,
        "share grant permit allow expose unshare unblock whitelist allowlist delegate chmod chown compartir partager teilen condividere",
    ),
    (
        Does::Remove,
        true,
        "delete remove rm rmdir del destroy drop purge erase wipe truncate trash unlink uninstall flush flushall flushdb \
         discard expunge shred prune evict deregister terminate nuke clean cleanup forget decommission dispose obliterate \
         unpublish ban kick expire annihilate exterminate vacuum_full unset unregister bulkdelete softdelete harddelete \
         eliminar borrar supprimer effacer loeschen löschen entfernen cancellare eliminare apagar remover excluir offboard \
         fire deprovision teardown demolish scrub sweep gc disband hdel srem zrem lpop rpop spop xdel",
    ),
    (Does::Overwrite, true, "overwrite clobber force_push forcepush format_disk mkfs restore_snapshot replaceall"),
    (
        Does::Pay,
        true,
        "pay refund charge withdraw buy sell purchase stake unstake donate payout remit reimburse repay lend \
         invest redeem unwrap bid liquidate airdrop pagar transferir payer überweisen ueberweisen bezahlen acheter comprar kaufen",
    ),
    (
        Does::Pay,
        false,
        "place transfer deposit trade swap tip wire order mint burn bridge borrow fund topup spend settle",
    ),
    (
        Does::Identify,
        true,
        "login signin signup authenticate impersonate rotate revoke reauthenticate relogin enroll_mfa assume sudo su passwd chpasswd",
    ),
    (Does::Identify, false, "logout auth"),
];

/// Things, by what they are.
const THINGS: &[(u64, &str)] = &[
    (
        t::OWN,
        "note notes memory memories entity entities relation relations observation observations todo todos reminder \
         reminders bookmark bookmarks favorite favorites favourite favourites journal scratchpad thought thoughts insight \
         insights timer alarm_clock habit habits flashcard flashcards checklist goal goals knowledge highlight wishlist \
         diary learning learnings fact memo memos playlist playlists episode_memory watchlist workout meal shopping grocery \
         grocerylist obsidian zettel preference preferences reading_list thinking plan_step stopwatch",
    ),
    (t::TASK, "task tasks subtask subtasks"),
    (t::DRAFT, "draft drafts"),
    (t::EVENT, "event events meeting meetings appointment appointments"),
    (t::PRIVATE, "meeting meetings appointment appointments"),
    (t::CALENDAR, "calendar calendars gcal freebusy"),
    (t::PRIVATE, "calendar gcal"),
    (
        t::MAIL | t::PRIVATE,
        "email emails mail mails inbox gmail outlook mailbox imap smtp newsletter sendgrid mailgun protonmail",
    ),
    (t::LABEL, "label labels folder folders filter_label flag flags category categories tag tags"),
    (
        t::CHAT,
        "slack discord mattermost rocketchat zulip matrix irc message messages chat chats thread threads conversation conversations replies reply dm dms history_messages mentions",
    ),
    (
        t::DIRECT | t::PRIVATE,
        "dm dms sms imessage whatsapp telegram twilio inbox direct voicemail mms wechat messenger imessages",
    ),
    (
        t::NAMES,
        "channel channels workspace workspaces team teams board boards sprint sprints milestone milestones project projects \
        space spaces statuses transitions priorities fields types branch branches tags tag organizations org orgs roles \
        namespaces namespace label labels me whoami schema schemas databases tables collections buckets",
    ),
    (
        t::ROOM,
        "channel channels group groups room rooms team project organization org workspace repo repository board space server guild meeting event",
    ),
    (
        t::TRACKER,
        "issue issues ticket tickets pr prs pulls pullrequest discussion discussions comment comments review reviews bug bugs story stories epic \
         epics incident incidents alert alerts case cases feedback complaint complaints jira linear zendesk intercom sentry asana trello clickup \
         mr mrs gist gists worklog release releases merge",
    ),
    (
        t::DOC,
        "document documents doc docs page pages wiki confluence notion drive gdrive sharepoint dropbox onedrive form forms \
         response responses survey submission submissions block blocks slide slides presentation sheet sheets spreadsheet paper papers \
         pdf attachment attachments evernote coda airtable roam",
    ),
    (
        t::WEB,
        "web webpage webpages url urls site website websites internet html news feed feeds rss article articles google bing \
         duckduckgo ddg brave tavily exa kagi serper perplexity serp wikipedia youtube reddit hackernews hn arxiv podcast blog blogs tweet \
         tweets timeline scrape crawl firecrawl fetch browse browser puppeteer playwright selenium chrome bluesky mastodon \
         twitter instagram facebook linkedin tiktok post posts subreddit transcript transcripts page navigate pubmed searxng \
         library context7 deepwiki review reviews rating ratings craigslist ebay headlines trends videos video selector dom",
    ),
    (
        t::MEDIA,
        "music song songs track tracks playback media video volume speaker spotify tv playlist album podcast sonos player",
    ),
    (
        t::HOME,
        "light lights lamp lamps fan thermostat climate scene scenes blinds curtain curtains vacuum homeassistant hass nest ecobee smartthings hue plug switch entity \
        switches humidifier sprinkler tv brightness color bulb bulbs shade shades temperature device devices",
    ),
    (
        t::GUARD,
        "door doors lock locks garage gate gates siren alarm alarms oven stove heater boiler camera cameras valve security breaker car vehicle",
    ),
    (
        t::PERSON,
        "user users member members participant participants attendee attendees guest guests invitee invitees collaborator \
         collaborators people person employee employees reviewer reviewers subscriber subscribers teammate teammates friend friends admin admins",
    ),
    (
        t::PRIVATE,
        "contact contacts user users profile profiles customer customers employee employees patient patients person people \
         passport ssn strava fitbit garmin oura whoop heart sleep health medical candidate candidates lead leads staff student students client clients \
         subscriber subscribers clipboard cookie cookies keychain payslip resume resumes cv personal pii dob birthday birthdays identity \
         biometric diagnosis prescription prescriptions hr whereabouts camera cameras webcam geolocation member members attendees crm salesforce hubspot voicemails",
    ),
    (
        t::PRIVATE | t::FINANCE,
        "transaction transactions payment payments balance balances invoice invoices card cards iban bank banking account accounts payroll \
         salary salaries portfolio holdings wallet wallets subscription subscriptions charges payout payouts refunds dispute \
         disputes expense expenses statement statements tax taxes budget budgets orders order billing earnings revenue finances debt \
         loan loans mortgage credit debit paycheck compensation transfers positions",
    ),
    (
        t::MARKET,
        "price prices quote quotes rate rates ticker tickers market markets candles orderbook chart stock stocks book supply gas fees marketcap \
        ohlc exchange currency currencies pairs symbol symbols",
    ),
    (
        t::PAYMENT,
        "payment payments transfer transfers transaction transactions payout payouts refund refunds charge charges order \
         withdrawal withdrawals deposit trade trades money funds cash donation purchase swap bet wager limit_order \
         subscription subscriptions checkout intent standing_order direct_debit debit gift giftcard autopay token_transfer",
    ),
    (
        t::BILL,
        "link links invoice invoices item items quote coupon coupons price prices product products customer customers method methods session budget expense category report template plan",
    ),
    (
        t::SECRET | t::PRIVATE,
        "secret secrets decrypt credential credentials password passwords passphrase env environ environment vault keyring otp totp \
         dotenv apikey apikeys 1password bitwarden lastpass onepassword cookies storage_state",
    ),
    (t::KEY, "key keys token tokens certificate certificates cert certs keypair keypairs pat"),
    (
        t::IDENTITY,
        "password passwords credential credentials secret secrets apikeys user users account accounts identity identities mfa 2fa tfa otp totp apikey \
         sshkey passkey passkeys webauthn login session_token service_account serviceaccount principal principals username oauth sso saml \
         keypair keypairs certificate certificates pat passphrase",
    ),
    (
        t::GRANT,
        "permission permissions role roles access acl acls visibility collaborator collaborators privilege privileges sharing \
         public share shares ownership owner owners admin admins scope scopes grant grants cors delegate delegation entitlement entitlements",
    ),
    (
        t::POLICY,
        "policy policies firewall guardrail guardrails allowlist whitelist denylist blocklist blacklist protection protections portcullis \
         gateway approval approvals hold holds safeguard safeguards antivirus ruleset rulesets waf securitygroup audit auditing \
         logging compliance quarantine retention",
    ),
    (
        t::WEBHOOK,
        "webhook webhooks forwarding autoforward redirect callback hook hooks integration integrations subscription_filter filter filters rule rules",
    ),
    (t::FILE, "file files directory directories dir folder folders path paths document attachment image images"),
    (
        t::CODE,
        "code script scripts command commands shell terminal bash python javascript js cell cells notebook kernel repl \
        cmd powershell typescript node snippet lambda program programs expression test tests build npm pip cargo make container containers pod subprocess ruby php jupyter",
    ),
    (
        t::SHELL,
        "shell terminal bash cmd command commands powershell zsh ssh console tmux process sh commander cli subprocess",
    ),
    (
        t::SQL,
        "sql postgres postgresql mysql mariadb sqlite snowflake bigquery clickhouse redshift duckdb mssql oracle neon motherduck databricks trino \
         presto athena spanner cockroachdb supabase planetscale turso dbhub d1 database db tidb cypher cockroach pg psql statement statements migration migrations sqlserver libsql",
    ),
    (
        t::NOSQL,
        "mongo mongodb redis elasticsearch opensearch dynamodb firestore couchbase cassandra neo4j qdrant pinecone chroma weaviate memcached valkey",
    ),
    (t::QUERY, "query queries search sql find lookup"),
    (
        t::REPORT,
        "report reports analysis analytics audit_report lighthouse scan check benchmark search simulation forecast diagnostic diagnostics assessment inference model prediction",
    ),
    (
        t::WORKFLOW,
        "workflow workflows job jobs pipeline pipelines action actions actor actors agent dag build builds automation flow flows scenario zap playbook run runs instances instance function service task tasks",
    ),
    (
        t::MACHINE,
        "instance instances server servers vm vms cluster clusters node nodes deployment deployments service services stack stacks machine host hosts container containers pod pods replica replicas droplet ec2",
    ),
    (
        t::BROWSER,
        "browser puppeteer playwright selenium chrome page webdriver browserbase stagehand cdp tab tabs devtools",
    ),
    (
        t::VIEW,
        "tab tabs browser window page session connection panel viewport dialog console view zoom filters selection screen modal",
    ),
    (t::MATH, "math calculator calc arithmetic number numbers time clock unit units everything demo"),
    (t::REPO, "git repo repository repositories branch branches commit commits github gitlab bitbucket gitea worktree"),
    (
        t::CRYPTO,
        "crypto token tokens eth btc bitcoin ethereum solana wallet nft nfts coin coins blockchain defi coinbase binance coingecko chain evm usdc web3 onchain price balance dex",
    ),
    (t::EXTENSION, "extension extensions plugin plugins module package packages dependency dependencies"),
    (
        t::TRIP,
        "flight flights ticket tickets hotel room trip train tour car cruise travel rental airbnb reservation reservations",
    ),
    (
        t::CACHE,
        "cache console screen history_buffer breakpoints logs highlights context selection cart notifications notification thoughts",
    ),
    (t::GENERIC, "action operation tool tools method actions api request http endpoint"),
    (
        t::CLI,
        "kubectl aws gcloud az gh git docker helm terraform npm psql gsutil heroku flyctl vercel oc podman eksctl doctl",
    ),
    (t::RECORDS, "records record row rows item items entry entries"),
    (t::TOOLING, "tool tools mcp action"),
    (
        t::CLOUD,
        "s3 aws gcp azure cloud cloudflare kubernetes k8s kube terraform bucket blob lambda ec2 rds iam gcs vercel netlify heroku drive gdrive dropbox",
    ),
    (
        t::LEDGER,
        "bank banking stripe paypal plaid revolut wise quickbooks xero brex mercury square adyen braintree venmo coinbase ledger finance ynab alpaca robinhood",
    ),
    (
        t::STATE,
        "active current context project database namespace default cwd directory viewport device geolocation timezone page tab window workspace organization region profile model mode verbosity",
    ),
];
