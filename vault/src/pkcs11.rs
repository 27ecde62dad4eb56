//! `Pkcs11Key`: signs the log by a key that never leaves its token.
//!
//! ```text
//!  log's thread ─ sign ─► queue of one ─► thread `pkcs11` ─► module ─► token
//!       ▲                                      │ a session that fails is given up, a new one is tried once
//!       └── the signature, checked; or why ────┘ no answer within a second: none is asked for in the next ten
//! ```
//!
//! A module is foreign code that is loaded into this process, and may never return. So it runs on a thread of its own, whose
//! answers are waited for and whose end is not.

mod error;
mod module;
mod name;
mod session;

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use audit::{Signer, VerifierKey};

use crate::named::log_named_after;
use session::{Session, Token};

pub use error::Pkcs11Error;
pub use name::Pkcs11Name;

/// A key on a token.
pub struct Pkcs11Key {
    verifier: VerifierKey,
    jobs: SyncSender<Job>,
    /// When a signature last failed to come, and why.
    failed: Mutex<Option<(Instant, Pkcs11Error)>>,
}

struct Job {
    message: Vec<u8>,
    answer: SyncSender<Result<[u8; 64], Pkcs11Error>>,
}

impl Pkcs11Key {
    /// Logs in, and has the key sign something that is nobody's checkpoint.
    ///
    /// # Errors
    /// [`Pkcs11Error`].
    pub fn open(name: &Pkcs11Name) -> Result<Self, Pkcs11Error> {
        Self::begin(name.clone(), Token::find)
    }

    /// The same, but for the login where a wrong PIN was the last that the token was told: who asks often would lock it.
    ///
    /// # Errors
    /// [`Pkcs11Error`].
    pub fn probe(name: &Pkcs11Name) -> Result<VerifierKey, Pkcs11Error> {
        let found = Self::begin(name.clone(), |name| Token::find(name)?.undoubted());
        found.map(|key| key.verifier.clone())
    }

    /// Makes the key on its token: it signs, and can be neither read nor copied from there.
    ///
    /// # Errors
    /// [`Pkcs11Error`], also if there is a key of that name.
    pub fn make(name: &Pkcs11Name) -> Result<VerifierKey, Pkcs11Error> {
        let (made, answer) = sync_channel(1);
        let asked = name.clone();
        apart(move || drop(made.send(Token::find(&asked).and_then(|token| token.make(&asked)))))?;
        answer.recv_timeout(START).map_err(|_| Pkcs11Error::Late)??;
        Self::open(name).map(|key| key.verifier)
    }

    fn begin(name: Pkcs11Name, find: fn(&Pkcs11Name) -> Result<Token, Pkcs11Error>) -> Result<Self, Pkcs11Error> {
        let (jobs, queue) = sync_channel(1);
        let (shown, public) = sync_channel(1);
        let work = move || {
            let session = find(&name).and_then(|token| token.log_in(&name));
            let public = session.as_ref().map(Session::public).map_err(Clone::clone);
            if shown.send(public).is_ok()
                && let Ok(session) = session
            {
                let (public, serial) = (session.public(), session.serial().to_owned());
                Desk { public, serial, session: Some(session), name, refused: None }.serve(&queue);
            }
        };
        apart(work)?;
        let public = public.recv_timeout(START).map_err(|_| Pkcs11Error::Late)??;
        let verifier = log_named_after(public).map_err(|_| Pkcs11Error::Point)?;
        let key = Self { verifier, jobs, failed: Mutex::new(None) };
        key.ask(TRIAL)?;
        Ok(key)
    }

    fn ask(&self, message: &[u8]) -> Result<[u8; 64], Pkcs11Error> {
        let (answer, signed) = sync_channel(1);
        // Where the queue is full the token has not answered what was asked before: waiting would hold calls up.
        let job = Job { message: message.to_vec(), answer };
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Pkcs11Error::Late,
            TrySendError::Disconnected(_) => Pkcs11Error::Gone,
        })?;
        signed.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => Pkcs11Error::Late,
            RecvTimeoutError::Disconnected => Pkcs11Error::Gone,
        })?
    }
}

impl Signer for Pkcs11Key {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, message: &[u8]) -> io::Result<[u8; 64]> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, why)) = failed.as_ref().filter(|(at, _)| at.elapsed() < REST) {
            return Err(io::Error::other(why.clone()));
        }
        let signed = self.ask(message);
        *failed = signed.as_ref().err().map(|why| (Instant::now(), why.clone()));
        signed.map_err(io::Error::other)
    }
}

/// On a thread that nobody waits for: a module may never return.
fn apart(work: impl FnOnce() + Send + 'static) -> Result<(), Pkcs11Error> {
    let thread = std::thread::Builder::new().name("pkcs11".to_owned());
    thread.spawn(work).map(drop).map_err(|error| Pkcs11Error::Thread(error.to_string()))
}

/// Loading a module and logging in: one that reaches its token over a network takes seconds.
const START: Duration = Duration::from_secs(20);

/// The log's thread waits for a signature, and calls wait for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// After a signature that did not come, none is asked for: calls would wait each time.
const REST: Duration = Duration::from_secs(10);

/// No checkpoint begins like this, so its signature is good for nothing else.
const TRIAL: &[u8] = b"portcullis: a trial of the log's key\n";

/// The thread that speaks to the token.
struct Desk {
    name: Pkcs11Name,
    public: [u8; 32],
    /// Of the token that had the PIN.
    serial: String,
    session: Option<Session>,
    /// The PIN was refused once: it is not tried again, since a token locks itself after a few.
    refused: Option<Pkcs11Error>,
}

impl Desk {
    /// Signs until nobody asks any more.
    fn serve(mut self, queue: &Receiver<Job>) {
        for job in queue {
            drop(job.answer.send(self.sign(&job.message)));
        }
    }

    fn sign(&mut self, message: &[u8]) -> Result<[u8; 64], Pkcs11Error> {
        if let Some(session) = &self.session {
            match session.sign(message) {
                // A token that was restarted knows its sessions no more.
                Err(Pkcs11Error::Token { .. }) => self.session = None,
                signed => return signed,
            }
        }
        if let Some(refused) = &self.refused {
            return Err(refused.clone());
        }
        let session = match self.find().and_then(|token| token.known(&self.serial)?.log_in(&self.name)) {
            Err(why) => {
                self.refused = why.is_about_the_pin().then(|| why.clone());
                return Err(why);
            }
            Ok(session) if session.public() != self.public => return Err(Pkcs11Error::AnotherKey),
            Ok(session) => session,
        };
        let signed = session.sign(message)?;
        self.session = Some(session);
        Ok(signed)
    }

    /// The token, also where it came back after its module looked for it.
    fn find(&self) -> Result<Token, Pkcs11Error> {
        Token::find(&self.name).or_else(|why| {
            module::renew(&self.name.module).map_err(|_| why)?;
            Token::find(&self.name)
        })
    }
}
