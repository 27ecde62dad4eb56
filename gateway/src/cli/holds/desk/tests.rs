use super::*;
use crate::cli::card::tests::hostile;

fn at(seconds: i64) -> Timestamp {
    "2026-11-21T10:00:00Z".parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn named(id: &str) -> Card {
    Card { id: HoldId::parse(id).unwrap(), ..hostile() }
}

const ONE: &str = "hold-aaaaaaaaaaaaaaaa";
const TWO: &str = "hold-bbbbbbbbbbbbbbbb";

fn id(id: &str) -> HoldId {
    HoldId::parse(id).unwrap()
}

fn asking(cards: &[&str], folded: usize) -> Desk {
    let mut desk = Desk::default();
    desk.hear(Event::Open { holds: cards.iter().map(|id| named(id)).collect() });
    let id = desk.current().unwrap().to_string();
    desk.show(named(&id), folded, at(0));
    desk
}

fn press(desk: &mut Desk, key: char) -> Vec<Task> {
    desk.press(&[Key::Char(key)], 24, at(5))
}

#[test]
fn one_key_approves_the_card_on_the_screen() {
    let mut desk = asking(&[ONE], 0);
    assert_eq!(press(&mut desk, 'a'), [Task::Approve(id(ONE))]);
    assert_eq!(press(&mut desk, 'a'), [], "and only once");
}

#[test]
fn a_key_meant_for_the_card_before_answers_nothing() {
    let mut desk = asking(&[ONE], 0);
    assert_eq!(desk.press(&[Key::Char('a')], 24, at(0)), []);
    assert_eq!(press(&mut desk, 'a'), [Task::Approve(id(ONE))]);
}

#[test]
fn a_paste_answers_nothing() {
    let mut desk = asking(&[ONE], 0);
    assert_eq!(desk.press(&[Key::Char('a'), Key::Char('a')], 24, at(5)), []);
}

#[test]
fn what_is_folded_must_be_read_or_waived() {
    let mut desk = asking(&[ONE], 40);
    assert!(matches!(press(&mut desk, 'a').as_slice(), [Task::Print(_)]));
    assert_eq!(press(&mut desk, 'a'), [Task::Approve(id(ONE))]);

    let mut desk = asking(&[ONE], 40);
    assert_eq!(press(&mut desk, 'v'), [Task::Unfold]);
    desk.page(vec![Line::new(); 50], 24);
    assert!(desk.status(at(6)).to_string().starts_with("row 22 of 50"));
    press(&mut desk, ' ');
    press(&mut desk, ' ');
    assert_eq!(press(&mut desk, 'a'), [Task::Approve(id(ONE))]);
}

#[test]
fn leaving_the_pages_early_leaves_the_rest_unread() {
    let mut desk = asking(&[ONE], 40);
    press(&mut desk, 'v');
    desk.page(vec![Line::new(); 50], 24);
    press(&mut desk, 'q');
    assert!(matches!(press(&mut desk, 'a').as_slice(), [Task::Print(_)]));
}

#[test]
fn a_denial_asks_for_a_reason() {
    let mut desk = asking(&[ONE], 0);
    assert_eq!(press(&mut desk, 'd'), []);
    let typed = [Key::Enter, Key::Char('n'), Key::Char('p'), Key::Backspace, Key::Char('o'), Key::Enter];
    assert_eq!(desk.press(&typed, 24, at(6)), [Task::Deny(id(ONE), "no".into())]);
}

#[test]
fn escape_takes_a_denial_back() {
    let mut desk = asking(&[ONE], 0);
    press(&mut desk, 'd');
    desk.press(&[Key::Char('x'), Key::Escape], 24, at(6));
    assert_eq!(press(&mut desk, 'a'), [Task::Approve(id(ONE))]);
}

#[test]
fn an_answer_from_elsewhere_takes_the_card_away() {
    let mut desk = asking(&[ONE, TWO], 0);
    let first = desk.current().unwrap().clone();
    let gone = Card { id: first.clone(), state: "denied".into(), ..hostile() };
    let tasks = desk.hear(Event::Changed { hold: Box::new(gone) });
    assert!(matches!(tasks.as_slice(), [Task::Print(_), Task::Fetch(next)] if *next != first));
    assert_eq!(desk.press(&[Key::Char('a')], 24, at(9)), [], "the key was for the card that is gone");
}

#[test]
fn skipped_cards_come_back_when_asked_for() {
    let mut desk = asking(&[ONE], 0);
    assert_eq!(press(&mut desk, 's'), []);
    assert!(desk.status(at(6)).to_string().contains("1 skipped"));
    assert_eq!(press(&mut desk, 'r'), [Task::Fetch(id(ONE))]);
}

#[test]
fn where_two_must_approve_the_first_is_not_asked_again() {
    let mut desk = asking(&[ONE], 0);
    press(&mut desk, 'a');
    let tasks = desk.answered(&named(ONE));
    assert!(matches!(tasks.as_slice(), [Task::Print(_)]));
}

#[test]
fn the_oldest_deadline_is_asked_first() {
    let mut desk = Desk::default();
    let soon = Card { expires: at(10), ..named(TWO) };
    assert_eq!(desk.hear(Event::Open { holds: vec![named(ONE), soon] }), [Task::Ring, Task::Fetch(id(TWO))]);
}
