//! Whether enough people could approve: a call that nobody can let run says so, and so does a config that asks for more than
//! there are.

use policies::Risk;
use policies::approval::{Hold, HoldState, Missing, OfRole};

use super::Holds;

impl Holds {
    /// What a hold waits for in vain, as things are: more approvals than those who may still give one could give together, each
    /// by a right of their own. `None` where they could, and where it waits for none.
    #[must_use]
    pub fn short(&self, hold: &Hold) -> Option<String> {
        if *hold.state() != HoldState::Pending {
            return None;
        }
        let able = self.people.able(&self.policies.current(), hold);
        let left: Vec<_> = able.iter().filter(|person| !hold.counts(&person.id)).map(|person| person.role).collect();
        let missing = hold.missing();
        let people = if left.len() == 1 { "1 person".to_owned() } else { format!("{} people", left.len()) };
        let of_role = missing.of_role.map_or_else(String::new, |of| {
            format!(", {} of that role", left.iter().filter(|role| **role >= of.role).count())
        });
        let found = format!("it needs {}, and {people} may still approve it{of_role}", told(missing));
        (!missing.is_within(&left)).then_some(found)
    }

    /// The quorums of the config that the operators there are cannot reach.
    #[must_use]
    pub fn unreachable(&self) -> Vec<String> {
        let roles = self.people.roles();
        let set = |risk| Some((risk, self.quorums.set(risk)?));
        let all = Risk::ALL.into_iter().filter_map(set);
        let missed = all.filter(|(_, quorum)| !quorum.is_within(&roles));
        let told = |(risk, quorum): (Risk, policies::approval::Quorum)| {
            let of_role = quorum.of_role().map(|of| format!(", {}", several(of))).unwrap_or_default();
            format!("`[approve]` wants {} people{of_role} for {risk}, and there are not so many", quorum.people())
        };
        missed.map(told).collect()
    }
}

fn told(missing: Missing) -> String {
    let people = match missing.people {
        1 => "1 approval more".to_owned(),
        people => format!("{people} approvals more"),
    };
    missing.of_role.map_or_else(|| people.clone(), |of| format!("{people}, {} of the role {}", of.people, of.role))
}

fn several(of: OfRole) -> String {
    format!("{} of them of the role {}", of.people, of.role)
}
