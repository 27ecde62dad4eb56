//! `Login`: how the gateway says who it is, and `Session`: what it got for it.

use std::time::{Duration, Instant};

use vaultrs::api::AuthInfo;
use vaultrs::client::VaultClient;
use vaultrs::{auth, token};

use super::client::{Connector, quietly};
use super::fault::Fault;
use crate::own::Own;

/// How the gateway says who it is.
#[derive(Clone)]
pub(crate) enum Login {
    /// A token that somebody made.
    Token(Own),
    /// A role's id, and a secret that goes with it.
    AppRole { mount: String, role: String, secret: Own },
    /// A service account's token, which the backend has the cluster review.
    Kubernetes { mount: String, role: String, jwt: Own },
}

/// A token that the backend accepted, and how long it lives.
pub(super) struct Session {
    pub(super) client: VaultClient,
    since: Instant,
    /// `None`: until somebody revokes it.
    life: Option<Duration>,
    renewable: bool,
}

impl Login {
    /// Asks for a token, or whether the one that there is is good.
    pub(super) async fn login(&self, connector: &Connector) -> Result<Session, Fault> {
        let nobody = connector.client("");
        let auth = match self {
            Self::Token(own) => return Session::looked_up(connector.client(&own.read()?)).await,
            Self::AppRole { mount, role, secret } => {
                let secret = secret.read()?;
                quietly(auth::approle::login(&nobody, mount, role, &secret)).await
            }
            Self::Kubernetes { mount, role, jwt } => {
                let jwt = jwt.read()?;
                quietly(auth::kubernetes::login(&nobody, mount, role, &jwt)).await
            }
        };
        Ok(Session::given(connector, &auth.map_err(Fault::of_login)?))
    }
}

impl Session {
    fn given(connector: &Connector, auth: &AuthInfo) -> Self {
        Self::new(connector.client(&auth.client_token), auth.lease_duration, auth.renewable)
    }

    async fn looked_up(client: VaultClient) -> Result<Self, Fault> {
        let found = quietly(token::lookup_self(&client)).await.map_err(Fault::of_login)?;
        Ok(Self::new(client, found.ttl, found.renewable.unwrap_or(false)))
    }

    fn new(client: VaultClient, seconds: u64, renewable: bool) -> Self {
        let life = (seconds > 0).then(|| Duration::from_secs(seconds));
        Self { client, since: Instant::now(), life, renewable }
    }

    /// Whether the backend still accepts it, where it was refused something.
    pub(super) async fn is_good(&self) -> Result<bool, Fault> {
        match quietly(token::lookup_self(&self.client)).await {
            Ok(_) => Ok(true),
            Err(fault) if matches!(fault.clone().of_login(), Fault::Denied) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// The same token with a longer life.
    pub(super) async fn renewed(&self, connector: &Connector) -> Result<Self, Fault> {
        let auth = quietly(token::renew_self(&self.client, None)).await.map_err(Fault::of_login)?;
        Ok(Self::given(connector, &auth))
    }

    /// When it is to be renewed, or asked for anew: with a third of its life left.
    pub(super) fn due(&self) -> Option<Instant> {
        self.life.map(|life| self.since + life * 2 / 3)
    }

    /// Whether renewing made it live longer than the `old` one: at its longest life it does not.
    pub(super) fn outlives(&self, old: &Self) -> bool {
        let end = |session: &Self| session.life.map(|life| session.since + life);
        end(old).is_some_and(|old| end(self).is_none_or(|end| end > old + SLACK))
    }

    pub(super) fn is_over(&self) -> bool {
        self.life.is_some_and(|life| self.since.elapsed() >= life)
    }

    pub(super) fn is_renewable(&self) -> bool {
        self.renewable
    }
}

/// Lives are told in whole seconds.
const SLACK: Duration = Duration::from_secs(1);
