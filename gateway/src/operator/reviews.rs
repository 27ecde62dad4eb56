//! Reviews: what others have to look at since somebody broke a hold's glass, listed and closed.

use audit::{AuditError, Event};
use jsonrpsee::core::RegisterMethodError;
use policies::Hash;
use policies::approval::{Glass, Review};
use serde::Deserialize;

use super::Operators;
use super::card::Card;
use super::find::{among, find};
use super::method::{Asked, Module, method};
use super::params::reason;
use super::people::{Needs, Person};
use super::refused::Refused;
use crate::clock;
use crate::hold::Reasons;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Broken {
    id: String,
    /// What was seen: the glass of another deed is not broken.
    #[serde(default)]
    digest: Option<Hash>,
    /// Why the call must run.
    reason: String,
    /// Why nobody else can be waited for.
    because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Found {
    id: String,
    /// What whoever looked found.
    finding: String,
}

pub(super) fn register(to: &mut Module) -> Result<(), RegisterMethodError> {
    method(
        to,
        "holds_break_glass",
        Needs::Glass,
        |all, by, asked: Broken| async move { smash(&all, by, asked).await },
    )?;
    method(to, "reviews_list", Needs::Read, |all, _, Nothing {}| async move { Ok(all.audit.reviews()) })?;
    method(to, "reviews_close", Needs::Review, |all, by, asked: Found| async move { close(&all, &by, &asked).await })
}

async fn smash(all: &Operators, by: Person, asked: Broken) -> Asked<Card> {
    let (why, because) = (reason(&asked.reason)?, reason(&asked.because)?);
    // Asked here too, though the log asks again: what is wrong with two reasons is told, and is no record.
    Glass::reasons(&why, &because).map_err(|error| Refused::Params(error.to_string()))?;
    let id = find(&all.holds.list(), &asked.id)?;
    let reasons = Reasons { reason: why, because };
    match all.holds.break_glass(&id, &by, asked.digest, reasons).await {
        Ok(hold) => Ok(Card::of(&hold)),
        Err(error) => Err(all.refused_answer(id, by, error).await),
    }
}

async fn close(all: &Operators, by: &Person, asked: &Found) -> Asked<Review> {
    let finding = reason(&asked.finding)?;
    let reviews = all.audit.reviews();
    let unknown = || Refused::Unknown {
        what: "open review",
        name: asked.id.clone(),
        next: "`portcullis reviews` lists the open ones, `portcullis log show` what became of the others",
    };
    let hold = among(reviews.iter().map(|review| &review.hold), &asked.id, unknown)?;
    let review = reviews.into_iter().find(|review| review.hold == hold).ok_or_else(unknown)?;
    let event = Event::ReviewClosed { hold, by: by.id.clone(), finding };
    match all.audit.note(event, clock::now()).await {
        Ok(_) => Ok(review),
        Err(AuditError::Unknown) => Err(unknown()),
        Err(AuditError::OwnReview) => Err(Refused::State {
            what: format!("`{}` broke the glass, and does not close its review", by.id),
            next: "a reviewer or another admin closes it".to_owned(),
        }),
        Err(error) => Err(error.into()),
    }
}
