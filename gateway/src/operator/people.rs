//! `People`: who is at the other end, what they may do, and how they prove who they are.
//!
//! ```text
//! no operators added    the users whom the socket serves are admins, as the kernel names them
//! operators added       Caller ─ uid or session names an operator ─► Person ─ role? ─ PIN? ─► method
//!                         └ a user who is no operator reads, as a reviewer, or says who they are and proves it
//! ```

mod prove;

use std::sync::Arc;

use audit::{Audit, Author, Door, Operator};
use jiff::Timestamp;
use policies::approval::{Approver, Hold};
use policies::{AgentId, By, OperatorId, Policies, Role};

use super::peer::Peers;
use super::pin::Pin;
use super::refused::Refused;
use super::strangers::Strangers;
use crate::agent::auth::Flood;
use crate::clock;
use crate::console::Session;
use crate::passkey::Signed;

use prove::Lane;
pub(super) use prove::blocking;

/// Who may ask for anything.
pub struct People {
    audit: Audit,
    peers: Peers,
    sign_in: Lane,
    claimed: Lane,
    inside: Lane,
    session: Lane,
    /// Signatures that were none: anybody can send them.
    unsigned: Flood,
    /// Requests of people whose role does not allow them.
    refused: Flood,
    strangers: Strangers,
}

/// Where a request came from.
#[derive(Clone)]
pub enum Caller {
    /// A process on this machine, as the kernel names its user.
    Peer(u32),
    /// A browser that signed in.
    Session(Arc<Session>),
}

/// What a request says of who sends it.
#[derive(Default)]
pub struct Claim {
    /// The operator that it is, where the door does not say.
    pub name: Option<String>,
    /// Their PIN.
    pub pin: Option<Pin>,
    /// What a passkey of theirs signed.
    pub signed: Option<Box<Signed>>,
}

/// What a method needs of whoever calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Anyone who is let in.
    Read,
    /// An operator: to deny, and to call tools as an agent.
    Operate,
    /// An operator who has proved who they are not long ago.
    Change,
    /// Whom the policies let, with a proof that comes with the request.
    Approve,
    /// Whom the policies let, who has a PIN, with it: to break glass.
    Glass,
    /// An operator who has a PIN, with it: to set another one. A session is not enough, however fresh: whoever has somebody's
    /// session would set a PIN of theirs, and approve with it.
    Own,
    /// An operator who has a PIN, with it; who has passkeys, with the signature of one over this very request. What a passkey is
    /// for, the PIN alone must not undo.
    Keyed,
    /// A reviewer or an admin who has a PIN and has proved who they are not long ago: the one thing that a reviewer does
    /// beside reading. Operators do not: it is their answers that are looked at.
    Review,
    /// An admin, with a proof that comes with the request: who sets PINs and adds people can approve as anybody.
    Govern,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Their name.
    pub id: OperatorId,
    /// What they may do.
    pub role: Role,
    /// Who that was when they were let in: what they ask for is recorded if they still are.
    pub author: Arc<Author>,
    /// Whether a PIN came with this request, or a passkey's signature over it, and was right.
    pub proved: bool,
    /// The signature, as it is kept with the decision.
    pub signed: Option<Arc<serde_json::Value>>,
}

impl People {
    /// The operators of this log, and the users whom the socket serves.
    #[must_use]
    pub fn new(audit: Audit, peers: Peers) -> Self {
        let [sign_in, claimed, inside, session] = [Lane::new(), Lane::new(), Lane::new(), Lane::new()];
        let [unsigned, refused] = [Flood::default(), Flood::default()];
        Self { audit, peers, sign_in, claimed, inside, session, unsigned, refused, strangers: Strangers::default() }
    }

    /// What to record of somebody whose role does not allow what they ask, if anything: of a flood a few a second, which say how many
    /// there were.
    pub(super) fn refusal(&self, action: &str) -> Option<String> {
        self.refused.counted(action, clock::now())
    }

    /// Who the kernel's users are.
    #[must_use]
    pub fn peers(&self) -> &Peers {
        &self.peers
    }

    /// Whether operators were added; until then the gateway's own user is the admin.
    #[must_use]
    pub fn are_added(&self) -> bool {
        !self.audit.operators().is_empty()
    }

    /// Whether the socket serves this user.
    #[must_use]
    pub fn serve(&self, uid: u32) -> bool {
        self.peers.admits(uid) || self.audit.operators().iter().any(|operator| operator.uid == Some(uid))
    }

    /// Whether some of them have another user than the gateway's.
    #[must_use]
    pub fn are_elsewhere(&self) -> bool {
        self.peers.are_elsewhere()
            || self.audit.operators().iter().filter_map(|operator| operator.uid).any(|uid| !self.peers.admits(uid))
    }

    /// How many people there are who approve calls.
    #[must_use]
    pub fn count(&self) -> usize {
        self.answering().len()
    }

    /// How many of them the policies let approve this hold: a quorum of others than these could never be reached.
    #[must_use]
    pub fn count_for(&self, policies: &Policies, hold: &Hold) -> usize {
        self.able(policies, hold).len()
    }

    /// Whom the policies let approve this hold, if they show by the best they have that it is them, and say why.
    #[must_use]
    pub fn able(&self, policies: &Policies, hold: &Hold) -> Vec<Person> {
        let may = |person: &Person| {
            let approver = self.approver(person, hold);
            let by = if approver.passkeys > 0 { By::Passkey } else { approver.by };
            policies.may_approve(&Approver { by, reasoned: true, ..approver }, hold).is_ok()
        };
        self.answering().into_iter().filter(may).collect()
    }

    /// What those are who approve calls.
    #[must_use]
    pub fn roles(&self) -> Vec<Role> {
        self.answering().iter().map(|person| person.role).collect()
    }

    fn answering(&self) -> Vec<Person> {
        let operators = self.audit.operators();
        if operators.is_empty() {
            return self.peers.people().into_iter().map(|id| Person::user(id, Role::Admin)).collect();
        }
        operators.iter().filter(|operator| operator.role != Role::Reviewer).map(Person::from).collect()
    }

    /// Whether the agent acts for this person: it is `operator:NAME`, or they added it.
    #[must_use]
    pub fn own(&self, person: &OperatorId, agent: &AgentId) -> bool {
        let same = |name: &str| {
            name.eq_ignore_ascii_case(person.as_str()) || self.also(person).is_some_and(|also| also == name)
        };
        let named = agent.as_str().strip_prefix("operator:").is_some_and(same);
        named || self.audit.agent(agent).and_then(|agent| agent.owner).is_some_and(|owner| same(owner.as_str()))
    }

    /// The name that the person's user had before they were added by name.
    fn also(&self, person: &OperatorId) -> Option<String> {
        let uid = self.audit.operator(person)?.uid?;
        Some(self.peers.name(uid).as_str().to_owned())
    }

    /// What the policies may know of a person who wants to approve this hold, without a reason and without a pass.
    #[must_use]
    pub fn approver<'a>(&self, person: &'a Person, hold: &Hold) -> Approver<'a> {
        let own = self.own(&person.id, hold.agent());
        let people = self.count();
        let by = match (&person.signed, person.is_added()) {
            (Some(_), _) => By::Passkey,
            (None, true) => By::Pin,
            (None, false) => By::User,
        };
        let passkeys = self.audit.passkeys(&person.id).len();
        Approver { operator: &person.id, role: person.role, own, people, by, passkeys, reasoned: false, pass: false }
    }

    /// Whoever gave an answer at this time, if they could still give it: a name that was removed and added since is another
    /// person's.
    #[must_use]
    pub fn who_was(&self, name: &OperatorId, at: Timestamp) -> Option<Person> {
        let same = self.audit.operator(name).is_none_or(|operator| operator.added <= at);
        self.answering().into_iter().find(|person| same && person.id == *name)
    }

    /// Lets a request through, or says what is missing.
    ///
    /// # Errors
    /// [`Refused`]: a role, a PIN, or that nobody is known by that name.
    pub async fn admit(&self, caller: &Caller, claim: Claim, needs: Needs) -> Result<Person, Refused> {
        let (mut person, known) = self.person(caller, claim.name.as_deref())?;
        let least = match needs {
            Needs::Read | Needs::Review => Role::Reviewer,
            // The policies say who approves; a role that they never let must not cost a PIN.
            Needs::Operate | Needs::Change | Needs::Approve | Needs::Glass | Needs::Own | Needs::Keyed => {
                Role::Operator
            }
            Needs::Govern => Role::Admin,
        };
        if known
            && matches!(needs, Needs::Glass | Needs::Own | Needs::Keyed | Needs::Review)
            && !person.is_added()
            && person.role >= least
        {
            return Err(without_pin(&person.id));
        }
        if known && needs == Needs::Review && person.role == Role::Operator {
            return Err(not_theirs(person));
        }
        if person.role < least && known {
            return Err(self.too_little(&person, least));
        }
        if let Some(pin) = claim.pin.filter(|_| person.is_added()) {
            let door = match caller {
                Caller::Session(_) => Door::Session,
                Caller::Peer(_) if known => Door::Inside,
                Caller::Peer(_) => Door::Claimed,
            };
            self.prove(&person.id, pin, door).await?;
            person.proved = true;
        }
        if let Some(signed) = claim.signed.filter(|_| person.is_added()) {
            self.check(&person.id, &signed, Door::SessionByPasskey).await?;
            (person.proved, person.signed) = (true, Some(Arc::new(signed.proof())));
        }
        if let (true, Caller::Session(session)) = (person.proved, caller) {
            session.prove(clock::now());
        }
        let fresh = person.proved || matches!(caller, Caller::Session(session) if session.is_proved(clock::now()));
        let keyed = needs == Needs::Keyed && !self.audit.passkeys(&person.id).is_empty();
        let added = person.is_added();
        let enough = match needs {
            Needs::Read | Needs::Operate => known || person.proved,
            Needs::Change => fresh || !added,
            Needs::Approve | Needs::Govern => person.proved || !added,
            Needs::Glass | Needs::Own => person.proved && added,
            Needs::Keyed => person.proved && added && (person.signed.is_some() || !keyed),
            Needs::Review => fresh && added,
        };
        if !enough {
            let name = person.id;
            return Err(if keyed { Refused::NeedsPasskey { name } } else { Refused::NeedsPin { name } });
        }
        if needs == Needs::Review && person.role == Role::Operator {
            return Err(not_theirs(person));
        }
        if person.role < least { Err(self.too_little(&person, least)) } else { Ok(person) }
    }

    /// Whether a caller who was let in is let in still. It is no use of their session: what is told unasked keeps none alive.
    #[must_use]
    pub fn still_serve(&self, caller: &Caller) -> bool {
        match caller {
            Caller::Peer(uid) => self.serve(*uid),
            Caller::Session(session) => !session.is_past(clock::now()) && session.who().stands(&self.audit.operators()),
        }
    }

    /// Who it is, and whether the door says so by itself.
    fn person(&self, caller: &Caller, claimed: Option<&str>) -> Result<(Person, bool), Refused> {
        let operators = self.audit.operators();
        let uid = match caller {
            Caller::Session(session) => return Self::signed_in(session, &operators).map(|person| (person, true)),
            // The connection may be older than the end of what let it in.
            Caller::Peer(uid) if !self.serve(*uid) => return Err(Refused::Nobody),
            Caller::Peer(uid) => *uid,
        };
        if operators.is_empty() {
            let id = self.peers.name(uid);
            return match claimed.filter(|claimed| *claimed != id.as_str()) {
                Some(claimed) => Err(nobody(claimed)),
                None => Ok((Person::user(id, Role::Admin), true)),
            };
        }
        if let Some(claimed) = claimed {
            let operator = operators.iter().find(|operator| operator.name.as_str().eq_ignore_ascii_case(claimed));
            let operator = operator.ok_or_else(|| nobody(claimed))?;
            return Ok((Person::from(operator), operator.uid == Some(uid)));
        }
        let mut his = operators.iter().filter(|operator| operator.uid == Some(uid));
        match (his.next(), his.next()) {
            (Some(operator), None) => Ok((Person::from(operator), true)),
            // Nobody, or more than one: whoever it is can look.
            (None | Some(_), _) => Ok((Person::user(self.peers.name(uid), Role::Reviewer), true)),
        }
    }

    fn signed_in(session: &Session, operators: &[Operator]) -> Result<Person, Refused> {
        if session.is_over(clock::now()) {
            return Err(Refused::Nobody);
        }
        let who = session.who();
        match who.among(operators) {
            Some(operator) => Ok(Person::from(operator)),
            // A user of this machine. Since there are operators, and it is none: whoever it is can look.
            None if who.is_user() => {
                let role = if operators.is_empty() { who.role() } else { Role::Reviewer };
                Ok(Person::user(who.name().clone(), role))
            }
            None => Err(Refused::Nobody),
        }
    }

    fn too_little(&self, person: &Person, least: Role) -> Refused {
        let next = if !person.is_added() && self.are_added() {
            "say who you are: --as NAME; an admin adds people: portcullis operator add NAME --role ROLE".to_owned()
        } else {
            format!("ask an {least}; `portcullis operator list` shows who they are")
        };
        Refused::Role { who: person.id.clone(), role: person.role, least, next }
    }
}

impl Person {
    fn from(operator: &Operator) -> Self {
        let author = Arc::new(Author::operator(operator));
        Self { id: operator.name.clone(), role: operator.role, author, proved: false, signed: None }
    }

    /// A user of this machine, whom the kernel names.
    pub(crate) fn user(id: OperatorId, role: Role) -> Self {
        Self { id, role, author: Arc::new(Author::User), proved: false, signed: None }
    }

    /// Whether they were added, and so have a PIN.
    #[must_use]
    pub fn is_added(&self) -> bool {
        self.author.is_operator()
    }

    /// What is kept of how they showed that it is them.
    #[must_use]
    pub fn proof(&self) -> Option<serde_json::Value> {
        let pin = self.proved.then(|| serde_json::json!({ "by": "pin" }));
        self.signed.as_ref().map(|signed| serde_json::Value::clone(signed)).or(pin)
    }
}

/// An operator's own kind of answers are what is reviewed.
fn not_theirs(person: Person) -> Refused {
    let next = "a reviewer or an admin who did not break the glass looks at it".to_owned();
    Refused::Role { who: person.id, role: person.role, least: Role::Admin, next }
}

/// Whoever is known by their user alone: a program that runs as it could do the same.
fn without_pin(who: &OperatorId) -> Refused {
    Refused::State {
        what: format!("`{who}` has no PIN, and this takes one"),
        next: "say who you are: --as NAME; an admin adds people: portcullis operator add NAME --role ROLE".to_owned(),
    }
}

fn nobody(name: &str) -> Refused {
    Refused::Unknown { what: "operator", name: name.to_owned(), next: "`portcullis operator list` shows who they are" }
}
