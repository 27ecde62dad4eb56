use proptest::prelude::*;

use super::*;
use crate::decision::tests::json;

fn compile(schema: &str) -> Result<Schema, SchemaError> {
    Schema::compile(&json(schema))
}

fn violations(schema: &str, arguments: &str) -> Vec<Violation> {
    compile(schema).unwrap().validate(&json(arguments)).err().unwrap_or_default()
}

#[test]
fn arguments_that_fit_pass_and_others_are_named_by_their_place() {
    let schema = r#"{"type":"object","properties":{"n":{"type":"integer","minimum":1},"to":{"type":"array",
        "items":{"type":"string"}}},"required":["n"],"additionalProperties":false}"#;
    assert_eq!(violations(schema, r#"{"n":2,"to":["a"]}"#), []);
    let at = |arguments| violations(schema, arguments).into_iter().map(|v| v.at).collect::<Vec<_>>();
    assert_eq!(at(r#"{"n":0}"#), ["/n"]);
    assert_eq!(at(r#"{"n":1,"to":["a",2]}"#), ["/to/1"]);
    assert_eq!(at("{}"), [""]);
    assert_eq!(at("[]"), [""]);
}

#[test]
fn messages_never_repeat_a_value() {
    let schema = r#"{"type":"object","properties":{"a":{"type":"integer"},"b":{"enum":["x","y"]},"c":{"const":1},
        "d":{"pattern":"^z$"},"e":{"maxLength":2},"f":{"format":"email"},"g":{"multipleOf":7},"h":{"maximum":3},
        "i":{"not":{"type":"string"}},"j":{"anyOf":[{"type":"null"},{"minLength":99}]},"k":{"uniqueItems":true},
        "l":{"oneOf":[{"type":"null"},{"type":"integer"}]},"m":{"contains":{"type":"integer"}}},
        "additionalProperties":false,"propertyNames":{"maxLength":3}}"#;
    let secret = "hunter2-secret";
    for key in ["a", "b", "c", "d", "e", "f", "i", "j", "l", "m"] {
        for found in violations(schema, &format!(r#"{{"{key}":"{secret}"}}"#)) {
            assert!(!found.message.contains("hunter2"), "{key}: {}", found.message);
        }
    }
    for (key, value) in
        [("g", "8675309"), ("h", "8675309"), ("c", "8675309"), ("k", r#"["hunter2-secret","hunter2-secret"]"#)]
    {
        for found in violations(schema, &format!(r#"{{"{key}":{value}}}"#)) {
            assert!(!found.message.contains("8675309") && !found.message.contains("hunter2"), "{}", found.message);
        }
    }
    let items = r#"{"prefixItems":[{"type":"string"}],"unevaluatedItems":false}"#;
    for found in violations(items, &format!(r#"["a","{secret}"]"#)) {
        assert!(!found.message.contains("hunter2"), "{}", found.message);
    }
}

#[test]
fn violations_are_bounded_in_number_and_length() {
    let many = format!("[{}]", vec!["1"; 5000].join(","));
    assert_eq!(violations(r#"{"items":{"type":"string"}}"#, &many).len(), 16);
    let options: Vec<String> = (0..2000).map(|n| format!("\"option-{n}\"")).collect();
    let found = violations(&format!(r#"{{"enum":[{}]}}"#, options.join(",")), "1");
    assert!(found[0].message.len() < 400);
}

#[test]
fn nothing_is_fetched() {
    for reference in [
        "https://example.com/schema.json",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "other.json",
        "//example.com/x",
        "urn:example:x",
        "http://json-schema.org/draft-07/schema#",
    ] {
        for key in ["$ref", "$dynamicRef"] {
            let schema = format!(r#"{{"type":"object","properties":{{"a":{{"{key}":"{reference}"}}}}}}"#);
            let at = format!("/properties/a/{key}");
            assert_eq!(compile(&schema).unwrap_err(), SchemaError::RemoteReference { at });
        }
    }
    let based = r#"{"$id":"https://example.com/base","properties":{"a":{"$ref":"https://example.com/baseline"}}}"#;
    assert!(compile(based).is_err());
}

#[test]
fn references_inside_the_schema_work_also_to_itself() {
    let tree = r##"{"$defs":{"node":{"type":"object","properties":{"child":{"$ref":"#/$defs/node"},"n":{"type":"integer"}}}},
        "$ref":"#/$defs/node"}"##;
    assert_eq!(violations(tree, r#"{"child":{"child":{"n":1}}}"#), []);
    assert_eq!(violations(tree, r#"{"child":{"child":{"n":"x"}}}"#)[0].at, "/child/child/n");
}

#[test]
fn what_applies_itself_to_the_same_value_is_refused() {
    for circle in [
        r##"{"$ref":"#"}"##,
        r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##,
        r##"{"allOf":[{"$ref":"#"}]}"##,
        r##"{"not":{"$ref":"#"}}"##,
        r##"{"if":{"$ref":"#"},"then":true}"##,
        r##"{"$defs":{"a":{"allOf":[{"$ref":"#/%24defs/b"}]},"b":{"anyOf":[{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"}"##,
        r##"{"$id":"x:y","$dynamicAnchor":"n","allOf":[{"$dynamicRef":"#n"}]}"##,
        r##"{"$anchor":"n","allOf":[{"$ref":"#n"}]}"##,
        r##"{"dependentSchemas":{"a":{"$ref":"#"}}}"##,
        r#"{"$id":"x:y","$ref":"x:y"}"#,
    ] {
        assert!(matches!(compile(circle), Err(SchemaError::Circular { .. })), "{circle}");
    }
    let inner = r##"{"$defs":{"a":{"$id":"x:a","$ref":"#"}},"$ref":"#/$defs/a"}"##;
    assert!(matches!(compile(inner), Err(SchemaError::Invalid { .. })));
}

#[test]
fn a_page_of_schema_cannot_keep_a_core_busy() {
    let double =
        |n: usize| format!(r##""a{n}":{{"allOf":[{{"$ref":"#/$defs/a{0}"}},{{"$ref":"#/$defs/a{0}"}}]}}"##, n + 1);
    let lines: Vec<String> = (0..40).map(double).collect();
    let doubling = format!(r##"{{"$defs":{{{},"a40":{{}}}},"$ref":"#/$defs/a0"}}"##, lines.join(","));
    assert!(matches!(compile(&doubling), Err(SchemaError::TooLarge { .. })));
    let with_depth =
        r##"{"anyOf":[{"properties":{"c":{"$ref":"#"}},"required":["x"]},{"properties":{"c":{"$ref":"#"}}}]}"##;
    assert!(matches!(compile(with_depth), Err(SchemaError::TooLarge { .. })));
    let patterns = r##"{"patternProperties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}"##;
    assert!(matches!(compile(patterns), Err(SchemaError::TooLarge { .. })));
    let began = std::time::Instant::now();
    let members: Vec<String> = (0..120)
        .map(|n| {
            format!(r##""m{n}":{{"anyOf":[{{"$ref":"#"}},{{"items":{{"$ref":"#/properties/m{}"}}}}]}}"##, (n * 7) % 120)
        })
        .collect();
    drop(compile(&format!(r#"{{"properties":{{{}}}}}"#, members.join(","))));
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}

#[test]
fn ordinary_recursion_is_fine() {
    for schema in [
        r##"{"type":"object","properties":{"left":{"$ref":"#"},"right":{"$ref":"#"},"n":{"type":"integer"}}}"##,
        r##"{"anyOf":[{"type":"string"},{"type":"array","items":{"$ref":"#"}}]}"##,
        r##"{"properties":{"and":{"type":"array","items":{"$ref":"#"}},"or":{"type":"array","items":{"$ref":"#"}},"not":{"$ref":"#"},"eq":{}}}"##,
        r##"{"type":"array","items":{"anyOf":[{"$ref":"#"},{"type":"integer"}]}}"##,
        r##"{"$defs":{"e":{"oneOf":[{"type":"number"},{"type":"object","properties":{"op":{"enum":["+"]},"l":{"$ref":"#/$defs/e"},"r":{"$ref":"#/$defs/e"}}}]}},"$ref":"#/$defs/e"}"##,
    ] {
        assert!(compile(schema).is_ok(), "{schema}: {:?}", compile(schema));
    }
}

#[test]
fn size_depth_patterns_and_references_are_bounded() {
    let deep = format!("{}{}{}", r#"{"items":"#.repeat(60), "{}", "}".repeat(60));
    assert!(compile(&deep).is_ok());
    let limits = crate::canon::Limits { depth: 600, ..crate::canon::Limits::ANSWER };
    let deeper = format!("{}{}{}", r#"{"items":"#.repeat(500), "{}", "}".repeat(500));
    let deeper = Value::parse(deeper.as_bytes(), &limits).unwrap();
    assert_eq!(Schema::compile(&deeper).unwrap_err(), SchemaError::TooLarge { limit: 64, what: "levels" });
    let wide = format!(r#"{{"enum":[{}]}}"#, vec!["1"; 30_000].join(","));
    assert!(matches!(compile(&wide), Err(SchemaError::TooLarge { what: "values", .. })));
    let patterns: Vec<String> = (0..300).map(|n| format!(r#""p{n}":{{"pattern":"a{n}"}}"#)).collect();
    let patterns = format!(r#"{{"properties":{{{}}}}}"#, patterns.join(","));
    assert!(matches!(compile(&patterns), Err(SchemaError::TooLarge { what: "patterns", .. })));
}

#[test]
fn patterns_match_in_linear_time_or_are_refused() {
    let began = std::time::Instant::now();
    let long = format!(r#""{}!""#, "a".repeat(100_000));
    assert_eq!(violations(r#"{"pattern":"^(a+)+$"}"#, &long).len(), 1);
    assert!(began.elapsed().as_secs() < 5);
    for pattern in ["(a)\\\\1", "(?=a)b", "((a{1000}){1000}){1000}"] {
        assert!(
            matches!(compile(&format!(r#"{{"pattern":"{pattern}"}}"#)), Err(SchemaError::Invalid { .. })),
            "{pattern}"
        );
    }
}

#[test]
fn the_draft_that_is_named_counts() {
    let seven =
        r#"{"$schema":"http://json-schema.org/draft-07/schema#","items":[{"type":"string"}],"additionalItems":false}"#;
    assert_eq!(violations(seven, r#"["a"]"#), []);
    assert_eq!(violations(seven, r#"["a",1]"#).len(), 1);
    let newest = r#"{"prefixItems":[{"type":"string"}],"items":false}"#;
    assert_eq!(violations(newest, r#"["a",1]"#).len(), 1);
    assert!(compile(r#"{"$schema":"https://evil.example/draft","type":"object"}"#).is_err());
}

#[test]
fn what_is_no_schema_is_refused() {
    for bad in
        [r#""text""#, r#"{"type":"objekt"}"#, r#"{"required":"n"}"#, r#"{"properties":[]}"#, r#"{"minimum":"1"}"#]
    {
        assert!(matches!(compile(bad), Err(SchemaError::Invalid { .. })), "{bad}");
    }
    assert!(compile("true").is_ok());
    assert_eq!(violations("false", "{}").len(), 1);
}

#[test]
fn a_number_beyond_reach_is_refused_not_rounded() {
    assert_eq!(violations(r#"{"type":"object"}"#, r#"{"n":1e999}"#)[0].message, "a number is too large to be checked");
}

proptest! {
    #[test]
    fn any_json_compiles_or_is_refused_and_validates_without_a_panic(
        key in prop_oneof![Just("type"), Just("$ref"), Just("pattern"), Just("items"), Just("properties"), Just("$id"),
            Just("$schema"), Just("enum"), Just("not"), Just("if"), Just("format"), Just("$defs"), Just("minimum")],
        value in "(\"[a-z#/$:.(){}0-9+*-]{0,12}\"|[1-9][0-9]{0,3}|\\[\\]|\\{\\}|true|null)",
        arguments in "(\"[a-z]{0,6}\"|[1-9][0-9]{0,3}|\\[1,2\\]|\\{\"a\":1\\}|true|null)",
    ) {
        if let Ok(schema) = compile(&format!(r#"{{"{key}":{value}}}"#)) {
            drop(schema.validate(&json(&arguments)));
        }
    }
}
