//! `Pages`: a list put together from its pages, with an end whatever the server says.

use std::collections::HashSet;

use policies::{Object, Value};

use crate::server::{Listing, ServerError};

/// A list in the making.
pub(crate) struct Pages {
    what: Listing,
    items: Vec<Value>,
    seen: HashSet<String>,
    bytes: usize,
    limit: usize,
}

/// What comes after a page.
#[derive(Debug, PartialEq)]
pub(crate) enum Page {
    /// Another, asked for with these params.
    More(Object),
    /// Nothing.
    Last,
}

const MAX_ITEMS: usize = 10_000;
const MAX_PAGES: usize = 500;

impl Pages {
    /// `limit` bounds the bytes of all items together.
    pub(crate) fn new(what: Listing, limit: usize) -> Self {
        Self { what, items: Vec::new(), seen: HashSet::new(), bytes: 0, limit }
    }

    /// Takes one more result.
    pub(crate) fn add(&mut self, mut result: Value) -> Result<Page, ServerError> {
        let mut take = |key| result.as_object_mut().and_then(|result| result.remove(key));
        let cursor = take("nextCursor");
        let Some(Value::Array(items)) = take(self.what.key()) else {
            return Err(ServerError::Malformed {
                detail: format!("`{}` has no `{}`", self.what.method(), self.what.key()),
            });
        };
        self.bytes += items.iter().map(|item| item.to_string().len()).sum::<usize>();
        self.items.extend(items);
        self.check()?;
        match cursor {
            None | Some(Value::Null) => Ok(Page::Last),
            Some(Value::String(cursor)) if cursor.is_empty() => Ok(Page::Last),
            Some(Value::String(cursor)) => self.next(cursor),
            Some(_) => Err(ServerError::Malformed { detail: "`nextCursor` is no string".to_owned() }),
        }
    }

    /// The whole list.
    pub(crate) fn into_items(self) -> Vec<Value> {
        self.items
    }

    fn check(&self) -> Result<(), ServerError> {
        let over = |detail: String| Err(ServerError::TooLarge { detail });
        if self.items.len() > MAX_ITEMS {
            return over(format!("a list of more than {MAX_ITEMS} items"));
        }
        if self.bytes > self.limit {
            return over(format!("a list over {} bytes", self.limit));
        }
        Ok(())
    }

    fn next(&mut self, cursor: String) -> Result<Page, ServerError> {
        if self.seen.len() >= MAX_PAGES {
            return Err(ServerError::TooLarge { detail: format!("a list of more than {MAX_PAGES} pages") });
        }
        if !self.seen.insert(cursor.clone()) {
            return Err(ServerError::Malformed { detail: "a cursor that leads back to itself".to_owned() });
        }
        Ok(Page::More([("cursor", cursor)].into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use policies::Limits;

    use super::*;

    fn page(text: &str) -> Value {
        Value::parse(text.as_bytes(), &Limits::ANSWER).unwrap()
    }

    #[test]
    fn a_list_is_put_together_as_it_was_sent() {
        let mut pages = Pages::new(Listing::Tools, 1000);
        let next = pages.add(page(r#"{"tools":[{"name":"a","x":1.0}],"nextCursor":"c"}"#)).unwrap();
        assert_eq!(next, Page::More([("cursor", "c")].into_iter().collect()));
        assert_eq!(pages.add(page(r#"{"tools":[{"name":"b"}],"nextCursor":null}"#)).unwrap(), Page::Last);
        let items: Vec<_> = pages.into_items().iter().map(Value::to_string).collect();
        assert_eq!(items, [r#"{"name":"a","x":1.0}"#, r#"{"name":"b"}"#]);
    }

    #[test]
    fn a_list_without_end_ends() {
        let mut pages = Pages::new(Listing::Tools, 100);
        pages.add(page(r#"{"tools":[],"nextCursor":"c"}"#)).unwrap();
        assert!(matches!(pages.add(page(r#"{"tools":[],"nextCursor":"c"}"#)), Err(ServerError::Malformed { .. })));

        let mut pages = Pages::new(Listing::Tools, 100);
        let refused = (0..1000).find_map(|n| pages.add(page(&format!(r#"{{"tools":[],"nextCursor":"{n}"}}"#))).err());
        assert!(matches!(refused, Some(ServerError::TooLarge { .. })));

        let mut pages = Pages::new(Listing::Tools, 100);
        let long = format!(r#"{{"tools":["{}"]}}"#, "x".repeat(100));
        assert!(matches!(pages.add(page(&long)), Err(ServerError::TooLarge { .. })));
    }
}
