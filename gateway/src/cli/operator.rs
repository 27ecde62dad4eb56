//! `portcullis operator`: who answers held calls, and who reads.

mod delegate;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use policies::Role;

use super::Global;
use super::line::Line;
use super::person::alone;
use super::print::{self, Out};
use super::table::Table;
use super::when::long;
use crate::operator::client::{Client, ConnectError};
use crate::operator::passkeys::{self, PasskeyRow};
use crate::operator::people::Needs;
use crate::operator::rows::OperatorRow;
use crate::operator::staff;

/// Say who answers held calls.
#[derive(Args)]
#[command(
    about = "Say who answers held calls, and who reads",
    long_about = "Adds, lists and removes operators, and sets their PINs.\n\n\
        Until the first is added, the gateway's own user is the admin, and answers without a PIN. From then on approving takes \
        the PIN of an operator: a program that runs as the same user as an operator has none.\n\n\
        Roles: a `reviewer` reads and changes nothing; an `operator` answers held calls and decides about tools and agents; an \
        `admin` also says who the operators are. The policies say who may approve what.\n\n\
        With a gateway running this goes through its socket; without one, straight to the log."
)]
pub(crate) struct OperatorCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Add an operator and set their PIN
    #[command(after_help = "Examples:\n  portcullis operator add ann --role admin --uid 1000\n  \
        printf '294017\\n' | portcullis operator add bob --role operator --pin-stdin\n\n\
        With --pin-stdin the first line is the new PIN, and the second your own, where it is needed.")]
    Add {
        /// Their name in log and policies
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do: reviewer, operator or admin
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// The user of this machine whose connections are theirs; without it they say who they are with --as
        #[arg(long, value_name = "UID")]
        uid: Option<u32>,
    },
    /// List the operators
    List,
    /// Remove an operator; their sessions end
    Remove {
        /// Their name
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// List the passkeys of an operator: your own, or anyone's
    #[command(after_help = "Passkeys are made in the console: they belong to a browser. See docs/guide/approvals.md.")]
    Passkeys {
        /// Whose; your own unless given
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Remove a passkey of an operator, such as one that was lost
    #[command(after_help = "Examples:\n  portcullis operator passkeys ann\n  \
        portcullis operator passkey-remove ann 5d41402a")]
    PasskeyRemove {
        /// Whose
        #[arg(value_name = "NAME")]
        name: String,
        /// Its id, or at least the first 8 digits of it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Set another PIN: your own, or, as an admin, anyone's
    Pin {
        /// Whose; your own unless given
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Lend your right to approve to another operator for a time
    #[command(
        long_about = "Lends your right to approve to another operator for a time; it takes your PIN. Who has a passkey \
            lends it in the console, where that signs it.\n\n\
            Where their own right does not let them approve a call, they approve it by yours: with their PIN, if you may \
            approve that call at that moment, and if neither of you has an agent's own call before them. You and they count \
            as one person then. They lend it to nobody else, give no pass by it, and break no glass. It ends with its time, \
            when one of you or an admin ends it, and when one of you is no operator any more.",
        after_help = "Examples:\n  portcullis operator delegate --to bob --for 3d --reason 'on holiday'\n  \
            portcullis operator delegate --to bob --for 8h --risk high --agent ci --tool mail --reason 'away today'"
    )]
    Delegate(delegate::Delegate),
    /// List the rights to approve that are lent
    Delegations,
    /// End a delegation: one that you made, one that you have, or, as an admin, any
    Undelegate {
        /// Its number
        #[arg(value_name = "ID")]
        id: String,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| "wanted reviewer, operator or admin".to_owned())
}

/// Where operators are kept: behind a running gateway, or in the log that nobody else has open.
enum Book {
    Running(Client),
    Alone(audit::Audit),
}

impl OperatorCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let state = global.state()?;
            let book = match Client::connect(&state).await {
                Ok(client) => Book::Running(client),
                Err(ConnectError::NotRunning { .. }) => Book::Alone(crate::app::open_log(&state)?),
                Err(error) => return Err(super::advised(error.into())),
            };
            let (row, what) = match self.action {
                Action::List => {
                    tell_all(global, &out, &book.list().await?)?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Delegate(wanted) => {
                    wanted.run(global, &out, &book).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Delegations => {
                    delegate::list(global, &out, &book).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Undelegate { id } => {
                    delegate::end(global, &out, &book, &id).await?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Passkeys { name } => {
                    tell_passkeys(global, &out, &book.passkeys(global, name.as_deref()).await?)?;
                    return Ok(ExitCode::SUCCESS);
                }
                Action::PasskeyRemove { name, id } => {
                    let removed = book.remove_passkey(global, &name, &id).await?;
                    if global.json {
                        print::json(&removed)?;
                    } else {
                        out.line(
                            &Line::new()
                                .ours("passkey ")
                                .theirs(&removed.label)
                                .ours(" signs for ")
                                .theirs(&name)
                                .ours(" no more"),
                        )?;
                    }
                    return Ok(ExitCode::SUCCESS);
                }
                Action::Add { name, role, uid } => (book.add(global, &name, role, uid).await?, "was added"),
                Action::Remove { name } => (book.remove(global, &name).await?, "is no operator any more"),
                Action::Pin { name } => (book.pin(global, name.as_deref()).await?, "has another PIN"),
            };
            if global.json {
                print::json(&row)?;
            } else {
                out.say(format!("{} {} {what}", row.role, row.name))?;
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

impl Book {
    async fn list(&self) -> anyhow::Result<Vec<OperatorRow>> {
        match self {
            Self::Running(client) => Ok(client.ask("operators_list", &[]).await?),
            Self::Alone(audit) => Ok(staff::list(audit)),
        }
    }

    async fn add(&self, global: &Global, name: &str, role: Role, uid: Option<u32>) -> anyhow::Result<OperatorRow> {
        let pin = global.new_pin(name)?;
        match self {
            Self::Running(client) => {
                let uid = uid.map(|uid| uid.to_string());
                let mut params = vec![("name", name), ("role", role.as_str()), ("new_pin", pin.as_str())];
                params.extend(uid.as_deref().map(|uid| ("uid", uid)));
                global.ask(client, "operators_add", &params).await
            }
            Self::Alone(audit) => {
                let by = global.admit(audit, Needs::Govern).await?;
                let joining = staff::Joining { name: name.to_owned(), role, uid, pin: pin.to_string() };
                staff::add(audit, &by.id, joining).await.map_err(|refused| alone(&refused))
            }
        }
    }

    async fn remove(&self, global: &Global, name: &str) -> anyhow::Result<OperatorRow> {
        match self {
            Self::Running(client) => global.ask(client, "operators_remove", &[("name", name)]).await,
            Self::Alone(audit) => {
                let by = global.admit(audit, Needs::Govern).await?;
                staff::remove(audit, &by.id, name).await.map_err(|refused| alone(&refused))
            }
        }
    }

    async fn passkeys(&self, global: &Global, name: Option<&str>) -> anyhow::Result<Vec<PasskeyRow>> {
        match self {
            Self::Running(client) => {
                let params: Vec<_> = name.map(|name| ("name", name)).into_iter().collect();
                global.ask(client, "passkeys_list", &params).await
            }
            Self::Alone(audit) => {
                let name = match name.or(global.acting.as_deref()) {
                    Some(name) => name.to_owned(),
                    None => global.admit(audit, Needs::Read).await?.id.to_string(),
                };
                passkeys::list(audit, &name).map_err(|refused| alone(&refused))
            }
        }
    }

    async fn remove_passkey(&self, global: &Global, name: &str, id: &str) -> anyhow::Result<PasskeyRow> {
        match self {
            Self::Running(client) => {
                global.ask(client, "operators_passkey_remove", &[("name", name), ("id", id)]).await
            }
            Self::Alone(audit) => {
                let by = global.admit(audit, Needs::Govern).await?;
                passkeys::remove(audit, &by.id, name, id).await.map_err(|refused| alone(&refused))
            }
        }
    }

    async fn pin(&self, global: &Global, name: Option<&str>) -> anyhow::Result<OperatorRow> {
        let pin = global.new_pin(name.or(global.acting.as_deref()).unwrap_or("you"))?;
        match (self, name) {
            (Self::Running(client), Some(name)) => {
                global.ask(client, "operators_pin", &[("name", name), ("new_pin", &pin)]).await
            }
            (Self::Running(client), None) => global.ask(client, "pin_change", &[("new_pin", &pin)]).await,
            (Self::Alone(audit), name) => {
                let needs = if name.is_some() { Needs::Govern } else { Needs::Own };
                let by = global.admit(audit, needs).await?;
                let name = name.unwrap_or(by.id.as_str());
                staff::set_pin(audit, &by.id, name, pin.to_string()).await.map_err(|refused| alone(&refused))
            }
        }
    }
}

fn tell_all(global: &Global, out: &Out, operators: &[OperatorRow]) -> anyhow::Result<()> {
    if global.json {
        return operators.iter().try_for_each(print::json);
    }
    if operators.is_empty() {
        let none = "no operator was added: the gateway's own user answers without a PIN; add one: portcullis operator add NAME --role admin";
        return Ok(out.say(none)?);
    }
    let zone = TimeZone::system();
    let mut table = Table::new(&["OPERATOR", "ROLE", "UID", "ADDED"]);
    for operator in operators {
        let uid = operator.uid.map_or_else(String::new, |uid| uid.to_string());
        let words = [operator.name.to_string(), operator.role.to_string(), uid, long(operator.added, &zone)];
        table.row(words.iter().map(|word| Line::new().theirs(word)).collect());
    }
    Ok(out.lines(&table.lines(out.width()))?)
}

fn tell_passkeys(global: &Global, out: &Out, passkeys: &[PasskeyRow]) -> anyhow::Result<()> {
    if global.json {
        return passkeys.iter().try_for_each(print::json);
    }
    if passkeys.is_empty() {
        return Ok(out.say("no passkey; whoever is signed in to the console can add one of their own")?);
    }
    let zone = TimeZone::system();
    let mut table = Table::new(&["ID", "PASSKEY", "SITE", "KIND", "ADDED", "USED"]);
    for passkey in passkeys {
        let id: String = passkey.id.to_string().chars().take(8).collect();
        let used = passkey.used.map_or_else(|| "never".to_owned(), |used| long(used, &zone));
        let words = [
            id,
            passkey.label.clone(),
            passkey.site.clone(),
            passkey.algorithm.clone(),
            long(passkey.added, &zone),
            used,
        ];
        table.row(words.iter().map(|word| Line::new().theirs(word)).collect());
    }
    Ok(out.lines(&table.lines(out.width()))?)
}
