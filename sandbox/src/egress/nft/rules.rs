//! The rules themselves, as nft takes them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{DNS_PORT, EDGE_PORT, Firewall, Member};

impl Firewall {
    /// Every rule, replacing whatever is there, as one transaction.
    pub(super) fn ruleset(&self, members: &BTreeSet<Member>) -> Vec<Value> {
        let mut all = Vec::new();
        for family in ["inet", "bridge"] {
            // Adding first makes the deletion succeed whether or not it was there.
            all.extend([
                json!({"add": self.of(family)}),
                json!({"delete": self.of(family)}),
                json!({"add": self.of(family)}),
            ]);
        }
        for set in ["sandboxes", "doors"] {
            all.push(json!({"add": {"set": {"family": "inet", "table": self.table, "name": set, "type": ["ifname", "ipv4_addr"]}}}));
        }
        all.extend(self.source());
        all.extend(self.doorway());
        all.extend(self.allowed());
        all.extend(self.host());
        all.extend(self.neighbours());
        for member in members {
            all.push(json!({"add": self.member("sandboxes", &member.bridge, member.inside)}));
            all.push(json!({"add": self.member("doors", &member.bridge, member.door)}));
        }
        all
    }

    /// Nobody sends from an address that is not theirs, and nothing over IPv6.
    fn source(&self) -> Vec<Value> {
        let chain = Chain { firewall: self, family: "inet", name: "source" };
        let pair = concat("saddr");
        vec![
            chain.base("filter", "prerouting", -300),
            chain.rule(&[self.others("iifname"), accept()]),
            // What every IPv6 stack says when it comes up is no attempt of the tool. It is dropped all the same.
            chain.rule(&[
                is(&payload("icmpv6", "type"), "==", &json!({"set": [{"range": [130, 137]}, 143]})),
                discard(),
            ]),
            chain.rule(&[is(&meta("nfproto"), "==", &json!("ipv6")), self.log(), discard()]),
            chain.rule(&[is(&pair, "!=", &json!("@sandboxes")), self.log(), discard()]),
        ]
    }

    /// Whatever TCP it opens, and wherever to, the edge accepts: so the edge can say what was tried.
    fn doorway(&self) -> Vec<Value> {
        let chain = Chain { firewall: self, family: "inet", name: "doorway" };
        vec![
            chain.base("nat", "prerouting", -110),
            chain.rule(&[self.others("iifname"), accept()]),
            chain.rule(&[at_door(), port("tcp", &json!(DNS_PORT)), accept()]),
            chain.rule(&[is(&meta("l4proto"), "==", &json!("tcp")), json!({"redirect": {"port": EDGE_PORT}})]),
        ]
    }

    /// Only the resolver and the edge are reached; before routing, so that nothing else even has a route.
    fn allowed(&self) -> Vec<Value> {
        let chain = Chain { firewall: self, family: "inet", name: "allowed" };
        let [udp, tcp] = doors();
        let base = chain.base("filter", "prerouting", -90);
        let [others, udp, tcp] = [vec![self.others("iifname"), accept()], udp, tcp].map(|rule| chain.rule(&rule));
        vec![base, others, udp, tcp, chain.rule(&[self.log(), discard()])]
    }

    /// The host itself, routes through it, and what it would send to a sandbox by itself: the same again, for when the
    /// rules above were passed by a way that nobody thought of.
    fn host(&self) -> Vec<Value> {
        let input = Chain { firewall: self, family: "inet", name: "input" };
        let forward = Chain { firewall: self, family: "inet", name: "forward" };
        let output = Chain { firewall: self, family: "inet", name: "output" };
        let [udp, tcp] = doors();
        let ours = |key: &str| is(&meta(key), "==", &json!(self.pattern()));
        vec![
            input.base("filter", "input", -10),
            // Users of the host are not to ask through a sandbox's doors.
            input.rule(&[
                is(&meta("iifname"), "==", &json!("lo")),
                is(&payload("ip", "daddr"), "==", &self.cidr()),
                discard(),
            ]),
            input.rule(&[self.others("iifname"), accept()]),
            input.rule(&udp),
            input.rule(&tcp),
            input.rule(&[discard()]),
            forward.base("filter", "forward", -10),
            forward.rule(&[ours("iifname"), self.log(), discard()]),
            forward.rule(&[ours("oifname"), discard()]),
            output.base("filter", "output", -10),
            output.rule(&[self.others("oifname"), accept()]),
            output.rule(&[is(&json!({"ct": {"key": "state"}}), "in", &json!("established")), accept()]),
            output.rule(&[discard()]),
        ]
    }

    /// Each sandbox has a bridge of its own; should two ever share one, nothing crosses it.
    fn neighbours(&self) -> Vec<Value> {
        let chain = Chain { firewall: self, family: "bridge", name: "forward" };
        let sides =
            ["saddr", "daddr"].map(|side| chain.rule(&[is(&payload("ip", side), "==", &self.cidr()), discard()]));
        [vec![chain.base("filter", "forward", -10)], sides.to_vec()].concat()
    }

    fn pattern(&self) -> String {
        format!("{}*", self.prefix)
    }

    fn others(&self, key: &str) -> Value {
        is(&meta(key), "!=", &json!(self.pattern()))
    }

    fn cidr(&self) -> Value {
        json!({"prefix": {"addr": self.network.0.to_string(), "len": self.network.1}})
    }

    fn log(&self) -> Value {
        json!({"log": {"prefix": "portcullis", "group": self.group}})
    }
}

struct Chain<'a> {
    firewall: &'a Firewall,
    family: &'static str,
    name: &'static str,
}

impl Chain<'_> {
    fn base(&self, kind: &str, hook: &str, priority: i32) -> Value {
        json!({"add": {"chain": {
            "family": self.family, "table": self.firewall.table, "name": self.name,
            "type": kind, "hook": hook, "prio": priority, "policy": "accept",
        }}})
    }

    fn rule(&self, expressions: &[Value]) -> Value {
        json!({"add": {"rule": {"family": self.family, "table": self.firewall.table, "chain": self.name, "expr": expressions}}})
    }
}

fn doors() -> [Vec<Value>; 2] {
    [
        vec![at_door(), port("udp", &json!(DNS_PORT)), accept()],
        vec![at_door(), port("tcp", &json!({"set": [DNS_PORT, EDGE_PORT]})), accept()],
    ]
}

fn at_door() -> Value {
    is(&concat("daddr"), "==", &json!("@doors"))
}

fn concat(field: &str) -> Value {
    json!({"concat": [meta("iifname"), payload("ip", field)]})
}

fn port(protocol: &str, ports: &Value) -> Value {
    is(&payload(protocol, "dport"), "==", ports)
}

fn is(left: &Value, op: &str, right: &Value) -> Value {
    json!({"match": {"op": op, "left": left, "right": right}})
}

fn meta(key: &str) -> Value {
    json!({"meta": {"key": key}})
}

fn payload(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

fn accept() -> Value {
    json!({"accept": null})
}

fn discard() -> Value {
    json!({"drop": null})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_accepted_but_a_sandboxs_own_doors() {
        let firewall = Firewall::new("portcullis", "pc12ab-", ("10.213.0.0".parse().unwrap(), 16), 8671);
        let rules = firewall.ruleset(&BTreeSet::new());
        for rule in rules.iter().filter_map(|command| command.pointer("/add/rule")) {
            let expressions = rule["expr"].as_array().unwrap();
            if expressions.last().unwrap() == &accept() {
                let text = rule.to_string();
                let others = text.contains(r#""op":"!=""#) && text.contains("pc12ab-*");
                let answers = text.contains("established") && rule["chain"] == "output";
                assert!(others || answers || text.contains("@doors"), "{text}");
            }
        }
    }
}
