//! How often a schema makes its validator look at one value.
//!
//! `{"$defs":{"a":{"allOf":[B,B]},"b":{"allOf":[C,C]},…}}` doubles the work with every line, and a recursive `anyOf`
//! doubles it with every level of the arguments: a page of schema could keep a core busy for years. So the schema is
//! walked as a graph before it is used. Edges *in place* (`allOf`, `$ref`, …) apply a subschema to the same value; edges
//! *below* (`properties`, `items`, …) to a value inside of it.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::SchemaError;
use super::bounds::resolve;
use crate::canon::{Object, Value};

/// Looks at one value that are plenty for real schemas, whose alternatives are tens, not thousands.
const LOOKS: u64 = 20_000;

/// Steps of this search: real schemas take as many as they have subschemas, give or take.
const STEPS: usize = 1_000_000;

/// Deeper arguments are not read.
const DEEPEST: usize = 128;

/// Which subschemas are applied to a value, and how often each.
type Applied = BTreeMap<usize, u64>;

/// The most looks at any one value of any arguments.
///
/// The search follows what is applied to a value down into each member that the schema tells apart. Where the same is
/// applied as somewhere before, it need not go on: ordinary recursion ends there, and recursion that grows runs into the
/// limit.
pub(super) fn looks(schema: &Value) -> Result<u64, SchemaError> {
    let graph = Graph::of(schema);
    let rank = graph.rank()?;
    let (mut most, mut steps) = (1, 0);
    let mut known: HashSet<Applied> = HashSet::new();
    let mut level = vec![Applied::from([(0, 1)])];
    for _ in 0..DEEPEST {
        let mut next = Vec::new();
        for begin in level {
            let applied = graph.spread(&rank, begin);
            most = most.max(applied.values().sum());
            steps += applied.len();
            if most > LOOKS || steps > STEPS {
                return Err(SchemaError::TooLarge { limit: 20_000, what: "ways to look at one value" });
            }
            for below in graph.descend(&applied) {
                steps += below.len();
                if known.insert(below.clone()) {
                    next.push(below);
                }
            }
        }
        level = next;
    }
    Ok(most)
}

#[derive(Default)]
struct Node {
    at: String,
    in_place: Vec<usize>,
    /// Subschemas for any value inside.
    below: Vec<usize>,
    /// Subschemas for one member or one place.
    named: Vec<(String, usize)>,
}

#[derive(Default)]
struct Graph {
    nodes: Vec<Node>,
}

impl Graph {
    fn of(root: &Value) -> Self {
        let mut builder = Builder { root, graph: Self::default(), known: HashMap::new(), queue: Vec::new() };
        builder.node(root, String::new());
        while let Some((index, schema)) = builder.queue.pop() {
            builder.edges(index, schema);
        }
        builder.graph
    }

    /// A place for every node, before those that it applies in place.
    fn rank(&self) -> Result<Vec<usize>, SchemaError> {
        let mut waiting = vec![0_usize; self.nodes.len()];
        for target in self.nodes.iter().flat_map(|node| &node.in_place) {
            waiting.get_mut(*target).into_iter().for_each(|count| *count += 1);
        }
        let mut order: Vec<usize> = (0..self.nodes.len()).filter(|index| waiting.get(*index) == Some(&0)).collect();
        let mut rank = vec![0; self.nodes.len()];
        let mut next = 0;
        while let Some(index) = order.get(next).copied() {
            rank.get_mut(index).into_iter().for_each(|place| *place = next);
            next += 1;
            for target in self.nodes.get(index).into_iter().flat_map(|node| &node.in_place) {
                let Some(count) = waiting.get_mut(*target) else { continue };
                *count -= 1;
                if *count == 0 {
                    order.push(*target);
                }
            }
        }
        match waiting.iter().position(|count| *count > 0).and_then(|index| self.nodes.get(index)) {
            Some(node) => Err(SchemaError::Circular { at: node.at.clone() }),
            None => Ok(rank),
        }
    }

    /// With all that these apply in place.
    fn spread(&self, rank: &[usize], begin: Applied) -> Applied {
        let place = |index: usize| (rank.get(index).copied().unwrap_or(usize::MAX), index);
        let mut queue: BTreeMap<(usize, usize), u64> =
            begin.into_iter().map(|(index, times)| (place(index), times)).collect();
        let mut applied = Applied::new();
        // By rank: when a node's turn comes, everything that applies it has had its own.
        while let Some(((_, index), times)) = queue.pop_first() {
            applied.insert(index, times);
            for target in self.nodes.get(index).into_iter().flat_map(|node| &node.in_place) {
                let count = queue.entry(place(*target)).or_default();
                *count = count.saturating_add(times).min(LOOKS + 1);
            }
        }
        applied
    }

    /// What is applied one level down: to each member that some subschema names, and to any other.
    fn descend(&self, applied: &Applied) -> Vec<Applied> {
        let mut any = Applied::new();
        let mut named: HashMap<&str, Applied> = HashMap::new();
        let add = |to: &mut Applied, target: usize, times: u64| {
            let count = to.entry(target).or_default();
            *count = count.saturating_add(times).min(LOOKS + 1);
        };
        let nodes = || applied.iter().filter_map(|(index, times)| Some((self.nodes.get(*index)?, *times)));
        for (node, times) in nodes() {
            node.below.iter().for_each(|target| add(&mut any, *target, times));
        }
        for (node, times) in nodes() {
            for (name, target) in &node.named {
                add(named.entry(name).or_insert_with(|| any.clone()), *target, times);
            }
        }
        named.into_values().chain([any]).filter(|below| !below.is_empty()).collect()
    }
}

struct Builder<'a> {
    root: &'a Value,
    graph: Graph,
    known: HashMap<*const Value, usize>,
    queue: Vec<(usize, &'a Value)>,
}

impl<'a> Builder<'a> {
    fn node(&mut self, schema: &'a Value, at: String) -> usize {
        *self.known.entry(std::ptr::from_ref(schema)).or_insert_with(|| {
            self.graph.nodes.push(Node { at, ..Node::default() });
            let index = self.graph.nodes.len() - 1;
            self.queue.push((index, schema));
            index
        })
    }

    fn edges(&mut self, index: usize, schema: &'a Value) {
        let Some(object) = schema.as_object() else { return };
        let at = self.graph.nodes.get(index).map(|node| node.at.clone()).unwrap_or_default();
        let mut node = Node { at: at.clone(), ..Node::default() };
        for (key, value) in object.iter() {
            let at = format!("{at}/{key}");
            match key {
                "allOf" | "anyOf" | "oneOf" | "not" | "if" | "then" | "else" => {
                    node.in_place.extend(self.each(value, &at).into_iter().map(|(_, target)| target));
                }
                "dependentSchemas" | "dependencies" => {
                    node.in_place.extend(self.members(value, &at).into_iter().map(|(_, target)| target));
                }
                "$ref" | "$dynamicRef" | "$recursiveRef" => {
                    let targets = value.as_str().map(|target| resolve(self.root, target)).unwrap_or_default();
                    node.in_place.extend(targets.into_iter().map(|target| self.node(target, at.clone())));
                }
                "properties" => node.named.extend(self.members(value, &at)),
                "prefixItems" => node.named.extend(self.each(value, &at)),
                "items" if value.as_array().is_some() => node.named.extend(self.each(value, &at)),
                "patternProperties" => {
                    node.below.extend(self.members(value, &at).into_iter().map(|(_, target)| target));
                }
                "items"
                | "additionalItems"
                | "unevaluatedItems"
                | "contains"
                | "additionalProperties"
                | "unevaluatedProperties"
                | "propertyNames" => node.below.push(self.node(value, at)),
                _ => {}
            }
        }
        self.graph.nodes.get_mut(index).into_iter().for_each(|place| *place = std::mem::take(&mut node));
    }

    /// A subschema, or a list of them.
    fn each(&mut self, value: &'a Value, at: &str) -> Vec<(String, usize)> {
        let Some(items) = value.as_array() else { return vec![(String::new(), self.node(value, at.to_owned()))] };
        items
            .iter()
            .enumerate()
            .map(|(place, item)| (place.to_string(), self.node(item, format!("{at}/{place}"))))
            .collect()
    }

    fn members(&mut self, value: &'a Value, at: &str) -> Vec<(String, usize)> {
        let members = value.as_object().into_iter().flat_map(Object::iter);
        members.map(|(key, value)| (key.to_owned(), self.node(value, format!("{at}/{key}")))).collect()
    }
}
