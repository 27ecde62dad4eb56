//! `portcullis reviews`: calls that one person let run without the others, for somebody else to look at.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use jiff::tz::TimeZone;
use policies::approval::Review;

use super::Global;
use super::line::{Ink, Line};
use super::print::{self, Out};
use super::when::long;
use crate::operator::client::Client;

/// Look at calls that ran by broken glass.
#[derive(Args)]
#[command(
    about = "Look at calls that one person let run without the others",
    long_about = "Lists what is to be reviewed, and closes it.\n\n\
        Whoever lets a held call run without the others who were to be asked (`portcullis holds break-glass`) leaves a review: \
        open until a reviewer or an admin who is somebody else has looked at it and says what they found. Each is a record. \
        `portcullis doctor` tells of those that are open for more than a day."
)]
pub(crate) struct ReviewsCommand {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List the open ones, the oldest first; what the command does by itself
    List,
    /// Close one, with what you found
    #[command(
        after_help = "Examples:\n  portcullis reviews close k3v7qx --finding 'it was the outage of Friday; the delete was right'"
    )]
    Close {
        /// The hold's id, or at least its first 6 characters after `hold-`
        #[arg(value_name = "ID")]
        id: String,
        /// What you found: it is kept in the log
        #[arg(long, value_name = "TEXT")]
        finding: String,
    },
}

impl ReviewsCommand {
    pub(crate) fn run(self, global: &Global) -> anyhow::Result<ExitCode> {
        let out = Out::stdout();
        super::block_on(async {
            let client = Client::connect(&global.state()?).await?;
            match self.action {
                None | Some(Action::List) => {
                    tell(global, &out, &client.ask::<Vec<Review>>("reviews_list", &[]).await?)?;
                }
                Some(Action::Close { id, finding }) => {
                    let params = [("id", id.as_str()), ("finding", finding.as_str())];
                    let review: Review = global.ask(&client, "reviews_close", &params).await?;
                    if global.json {
                        print::json(&review)?;
                    } else {
                        out.say(format!("the review of {} is closed", review.hold))?;
                    }
                }
            }
            Ok(ExitCode::SUCCESS)
        })
    }
}

fn tell(global: &Global, out: &Out, reviews: &[Review]) -> anyhow::Result<()> {
    if global.json {
        return reviews.iter().try_for_each(print::json);
    }
    if reviews.is_empty() {
        return Ok(out.say("nothing is to be reviewed: nobody broke the glass")?);
    }
    let (zone, width) = (TimeZone::system(), out.text_width());
    reviews.iter().try_for_each(|review| Ok(out.lines(&shown(review, &zone, width))?))
}

/// One review whole: two reasons do not fit a row of a table.
fn shown(review: &Review, zone: &TimeZone, width: usize) -> Vec<Line> {
    let title = Line::new()
        .inked(Ink::Alarm, format!("{} broke the glass", review.glass.by))
        .ours("  ")
        .inked(review.risk.into(), review.risk.as_str())
        .ours("  ")
        .theirs_in(Ink::Strong, &format!("{}.{}", review.server, review.tool))
        .ours(format!("  for agent {}  ", review.agent))
        .inked(Ink::Faint, review.hold.as_str());
    let others = match review.approved.len() {
        0 => format!("none of {} had approved", review.required),
        given => format!("{given} of {} had approved", review.required),
    };
    let field = |name: &str, text: Line| {
        let start = Line::new().ours("  ").inked(Ink::Faint, format!("{name:<9}"));
        start.then(text).wrap(width, &Line::new().ours(" ".repeat(11)))
    };
    let mut rows = vec![title];
    rows.extend(field("at", Line::new().ours(long(review.glass.at, zone))));
    rows.extend(field("others", Line::new().ours(others)));
    rows.extend(field("reason", Line::new().theirs(&review.glass.reason)));
    rows.extend(field("because", Line::new().theirs(&review.glass.because)));
    rows.extend(field("call", Line::new().ours(format!("portcullis log show {}", review.call))));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::line::text;

    #[test]
    fn a_review_says_who_what_and_both_reasons_and_cannot_paint() {
        let review: Review = serde_json::from_str(
            r#"{"hold":"hold-abcdefghijklmnop","call":"call-abcdefghijklmnop","agent":"claude","server":"mail","tool":"send\u001b[2J",
            "risk":"CRITICAL","required":2,"approved":[],"glass":{"by":"ann","at":"2026-11-21T10:00:00Z",
            "reason":"customers \u202e cannot log in","because":"bob is on a plane"}}"#,
        )
        .unwrap();
        assert_eq!(
            text(&shown(&review, &TimeZone::UTC, 100)),
            concat!(
                "ann broke the glass  CRITICAL  mail.send\\u{1b}[2J  for agent claude  hold-abcdefghijklmnop\n",
                "  at       2026-11-21 10:00:00 +00:00\n",
                "  others   none of 2 had approved\n",
                "  reason   customers \\u{202e} cannot log in\n",
                "  because  bob is on a plane\n",
                "  call     portcullis log show call-abcdefghijklmnop\n",
            )
        );
    }
}
